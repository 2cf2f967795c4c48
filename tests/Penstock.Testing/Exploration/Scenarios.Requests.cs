using Penstock.Devices;
using Penstock.DirectIO;
using Penstock.Execution;
using Penstock.Journal;
using Penstock.Memory;

namespace Penstock.Testing.Exploration;

/// <content>Direct requests in parts, and the room for changes of a journal.</content>
internal static partial class Scenarios
{
    private const int PartLength = 4096;

    private static void PartsAreCounted(Execution e)
    {
        var device = new HandedDevice(e.Scheduler);
        DirectIoRequest? request = null;
        int completed = 0;
        e.Scheduler.Serve();
        e.Start("submitter", () =>
        {
            request = Begin(device);
            request.Submit(0, PartLength);
            request.Submit(PartLength, PartLength);
            ValueTask<IoResult> completion = request.Completion;
            request.EndSubmission();
            IoResult result = e.Await(completion);
            e.Require(device.Waiting.Count == 0 && completed == 2, $"a request is complete when {completed} of its 2 parts are");
            e.Require(!result.IsFailed && result.Bytes == 2 * PartLength, $"a request of {2 * PartLength} bytes ends with {result.Bytes}");
            request.Return();
        });
        for (int i = 0; i < 2; i++)
        {
            e.Start($"device {i}", () =>
            {
                e.WaitUntil(() => device.Waiting.Count > 0);
                DeviceRequest part = device.Waiting.Dequeue();
                completed++;
                part.Complete(IoResult.Transferred(PartLength));
            });
        }
    }

    private static void FirstFailureCounts(Execution e)
    {
        var device = new HandedDevice(e.Scheduler);
        e.Scheduler.Serve();
        e.Start("submitter", () =>
        {
            DirectIoRequest request = Begin(device);
            request.Submit(0, PartLength);
            request.Submit(PartLength, PartLength);
            ValueTask<IoResult> completion = request.Completion;
            request.EndSubmission();
            IoResult result = e.Await(completion);
            e.Require(result.Fault == IoFault.NoSpace && result.Bytes == 0, $"two parts failed, the first with no space: {result.Fault} after {result.Bytes} bytes");
            request.Return();
        });
        for (int i = 0; i < 2; i++)
        {
            e.Start($"device {i}", () =>
            {
                e.WaitUntil(() => device.Waiting.Count > 0);
                DeviceRequest part = device.Waiting.Dequeue();
                part.Complete(IoResult.Failed(part.Offset == 0 ? IoFault.NoSpace : IoFault.DeviceFailed));
            });
        }
    }

    private static DirectIoRequest Begin(BlockDevice device) => DirectIoRequest.Rent(
        device, DeviceOperation.Write, SegmentList.Rent([new IoSegment(PartLength, 2 * PartLength)], isOurs: true));

    /// <summary>The same object twice: a write that fails, then a read that begins with zeros.</summary>
    private static void RequestIsUsedAgain(Execution e)
    {
        var device = new HandedDevice(e.Scheduler);
        e.Scheduler.Serve();
        e.Start("submitter", () =>
        {
            for (int round = 0; round < 2; round++)
            {
                bool isRead = round == 1;
                DirectIoRequest request = DirectIoRequest.Rent(
                    device, isRead ? DeviceOperation.Read : DeviceOperation.Write, SegmentList.Rent([new IoSegment(PartLength, 2 * PartLength)], isOurs: true));
                if (isRead)
                {
                    request.AddZeros(PartLength);
                }

                request.Submit(0, PartLength);
                ValueTask<IoResult> completion = request.Completion;
                request.EndSubmission();
                IoResult result = e.Await(completion);
                e.Require(
                    result == (isRead ? IoResult.Transferred(2 * PartLength) : IoResult.Failed(IoFault.NoSpace)), $"round {round} ends with {result.Fault} after {result.Bytes} bytes");
                request.Return();
            }
        });
        e.Start("device", () =>
        {
            for (int round = 0; round < 2; round++)
            {
                e.WaitUntil(() => device.Waiting.Count > 0);
                DeviceRequest part = device.Waiting.Dequeue();
                e.Require(part.Operation == (round == 0 ? DeviceOperation.Write : DeviceOperation.Read), $"the device is asked to {part.Operation}");
                part.Complete(round == 0 ? IoResult.Failed(IoFault.NoSpace) : IoResult.Transferred(PartLength));
            }
        });
    }

    /// <summary>Six blocks of room, for two changes of three and one of four, which waits. Each spends credits, without the latch, before it gives the others back.</summary>
    private static void RoomIsNotOverdrawn(Execution e)
    {
        const int Limit = 6;
        var latch = new object();
        var room = new RoomQueue(new VolumeMetadataCache(new HandedDevice(e.Scheduler), 1024), Limit, static (_, _) => true);
        int promised = 0;
        e.Scheduler.Serve();
        foreach (int credits in (int[])[3, 3, 4])
        {
            e.Start($"change of {credits}", () =>
            {
                TakeRoom(e, latch, room, credits);
                promised += credits;
                e.Require(promised <= Limit, $"{promised} credits are promised where there is room for {Limit}");
                promised -= 2;
                room.Spent();
                room.Spent();
                promised -= credits - 2;
                e.UnderLatch(latch, () => room.GiveBack(credits - 2));
            });
        }

        e.AtEnd(() => e.Require(room.TryTake(Limit) && !room.TryTake(1), "credits are missing, or there are more than before"));
    }

    private static void RoomIsHeld(Execution e)
    {
        var latch = new object();
        var room = new RoomQueue(new VolumeMetadataCache(new HandedDevice(e.Scheduler), 1024), 1, static (_, _) => true);
        bool isHeld = false;
        e.Scheduler.Serve();
        e.Start("holder", () =>
        {
            e.UnderLatch(latch, () =>
            {
                room.Hold();
                isHeld = true;
            });
            e.Step();
            e.UnderLatch(latch, () =>
            {
                isHeld = false;
                room.Release();
            });
        });
        e.Start("change", () =>
        {
            bool hasTaken = false;
            e.UnderLatch(latch, () =>
            {
                hasTaken = room.TryTake(1);
                e.Require(!(hasTaken && isHeld), "a change is let in while the room is held");
                if (hasTaken)
                {
                    room.GiveBack(1);
                }
            });
            if (!hasTaken)
            {
                TakeRoom(e, latch, room, 1);
                e.Require(!isHeld, "who waits is let in while the room is held");
            }
        });
    }

    private static void TakeRoom(Execution e, object latch, RoomQueue room, int credits)
    {
        PooledCompletion<IoFault>? waiter = null;
        e.UnderLatch(latch, () => waiter = room.TryTake(credits) ? null : room.Wait(e.Scheduler, credits));
        if (waiter is not null)
        {
            e.Require(e.Await(waiter.Task) == IoFault.None, "who waits for room is told of a fault");
        }
    }

    /// <summary>A device whose requests are completed by strands.</summary>
    private sealed class HandedDevice(Scheduler scheduler) : BlockDevice("handed", scheduler)
    {
        public Queue<DeviceRequest> Waiting { get; } = new();

        public override string Description => Name;

        public override long Length => 1 << 20;

        public override int LogicalBlockSize => 512;

        public override int PhysicalBlockSize => 512;

        public override int MemoryAlignment => 512;

        public override bool IsReadOnly => false;

        public override bool CanDiscard => false;

        public override ValueTask DisposeAsync() => ValueTask.CompletedTask;

        protected override void SubmitChecked(DeviceRequest request) => Waiting.Enqueue(request);
    }
}
