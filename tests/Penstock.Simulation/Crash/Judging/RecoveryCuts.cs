using Penstock.Simulation.Crash.Recording;
using Penstock.Simulation.Devices;
using Penstock.Simulation.Execution;

namespace Penstock.Simulation.Crash.Judging;

/// <summary>
/// The power goes again while a state is recovered or repaired. That is recorded too, and cut at a few moments: whatever is left must come to the same in the end.
/// </summary>
internal static class RecoveryCuts
{
    private const int Cuts = 5;

    /// <summary>The states that a device could be left in.</summary>
    /// <param name="shape">The volume's.</param>
    /// <param name="image">What the device holds; it is not changed.</param>
    /// <param name="work">What is done with the device.</param>
    /// <param name="sectorsInUnit">How many sectors the device never tears.</param>
    /// <param name="chance">Where to cut.</param>
    public static List<ChunkMemory> Make(CrashShape shape, ChunkMemory image, Func<PlainTurns, Task> work, int sectorsInUnit, Chance chance)
    {
        ChunkMemory content = image.Freeze().Clone();
        var turns = new PlainTurns(content, shape.Length);
        var log = new DeviceLog(content);
        turns.Device.Witness = log;
        turns.Scheduler.Profile = OrderProfile.Draw(chance) with { AlarmWeight = 0, LeapWeight = 0 };
        var left = new List<ChunkMemory>();
        long seen = 0;
        int moments = 0;
        turns.Scheduler.AfterStep = () =>
        {
            if (log.Version == seen)
            {
                return;
            }

            // Of all moments any few, each as likely as the others, though nobody knows yet how many there are.
            seen = log.Version;
            int place = moments++ < Cuts ? left.Count : chance.Next(moments);
            if (place < Cuts)
            {
                Loss loss = log.BeginLoss(turns.Device.Requests, sectorsInUnit);
                loss.Choose((LossKind)chance.Next(loss.Kinds), chance);
                ChunkMemory cut = loss.Build();
                if (place == left.Count)
                {
                    left.Add(cut);
                }
                else
                {
                    left[place] = cut;
                }
            }
        };
        turns.Complete(work(turns));
        return left;
    }
}
