using System.Runtime.CompilerServices;

namespace Penstock.Stress.Targets;

/// <summary>Requests of open files of volumes in this process, several in flight. The volume's own threads complete them; who takes them waits here.</summary>
internal sealed class VolumeTransferQueue : TransferQueue
{
    private readonly Slot[] _slots;
    private readonly Queue<int> _completed = new();
    private int _inFlight;

    public VolumeTransferQueue(int depth)
    {
        _slots = new Slot[depth];
        for (int i = 0; i < depth; i++)
        {
            _slots[i] = new Slot(this, i);
        }
    }

    public override void Add(int slot, in Transfer transfer)
    {
        _inFlight++;
        _slots[slot].Begin(transfer);
    }

    public override void Submit()
    {
        // A request of a volume is on its way as soon as it is made.
    }

    public override int Take(out IoResult result)
    {
        lock (_completed)
        {
            while (_completed.Count == 0)
            {
                Monitor.Wait(_completed);
            }

            int slot = _completed.Dequeue();
            result = _slots[slot].Result;
            _inFlight--;
            return slot;
        }
    }

    protected override void Dispose(bool isDisposing)
    {
        while (_inFlight > 0)
        {
            Take(out _);
        }
    }

    private void Complete(int slot)
    {
        lock (_completed)
        {
            _completed.Enqueue(slot);
            Monitor.Pulse(_completed);
        }
    }

    /// <summary>One request; its continuation is made once.</summary>
    private sealed class Slot
    {
        private readonly VolumeTransferQueue _queue;
        private readonly int _index;
        private readonly Action _finishOne;
        private readonly Action _finishMany;
        private ValueTaskAwaiter<int> _one;
        private ValueTaskAwaiter<long> _many;

        public Slot(VolumeTransferQueue queue, int index)
        {
            _queue = queue;
            _index = index;
            _finishOne = () => Finish(static s => s._one.GetResult());
            _finishMany = () => Finish(static s => s._many.GetResult());
        }

        public IoResult Result { get; private set; }

        public void Begin(in Transfer transfer)
        {
            OpenFile file = ((VolumeStressFile)transfer.File).Open;
            IoOptions options = VolumeStressFile.Translate(transfer.Modes) | IoOptions.ContinueOnReapingThread;
            if (transfer.Memory.Count == 1)
            {
                Memory<byte> memory = transfer.Memory[0];
                ValueTask<int> request = transfer.IsWrite
                    ? file.WriteAsync(memory, transfer.Offset, options)
                    : file.ReadAsync(memory, transfer.Offset, options);
                _one = request.GetAwaiter();
                Await(_one.IsCompleted, _finishOne, _one);
            }
            else
            {
                ValueTask<long> request = transfer.IsWrite
                    ? file.WriteAsync(VolumeStressFile.AsReadOnly(transfer.Memory), transfer.Offset, options)
                    : file.ReadAsync(transfer.Memory, transfer.Offset, options);
                _many = request.GetAwaiter();
                Await(_many.IsCompleted, _finishMany, _many);
            }
        }

        private static void Await<T>(bool isCompleted, Action finish, T awaiter)
            where T : struct, ICriticalNotifyCompletion
        {
            if (isCompleted)
            {
                finish();
            }
            else
            {
                awaiter.UnsafeOnCompleted(finish);
            }
        }

        private void Finish(Func<Slot, long> take)
        {
            try
            {
                Result = IoResult.Transferred(take(this));
            }
            catch (FileSystemException e)
            {
                Result = IoResult.Failed(e.Fault);
            }

            _queue.Complete(_index);
        }
    }
}
