using Penstock.Stress.Targets;

namespace Penstock.Tests.Stress;

/// <summary>Files in memory that have one bug; a full one takes no more than so many writes.</summary>
internal sealed class FaultyFolder(PlantedBug bug) : StressFolder
{
    private readonly Dictionary<string, FaultyFile> _files = [];

    public override string Name => "memory";

    public override string Description => $"files in memory with {bug}";

    public override int BlockSize => 1024;

    public override string FilePrefix => string.Empty;

    public override string QueueDescription => "one after the other";

    /// <summary>What is still there.</summary>
    public IReadOnlyCollection<string> FileNames => _files.Keys;

    public override StressFile Open(string name, bool isNew) => _files[name] = new FaultyFile(name, bug);

    public override void Delete(string name) => _files.Remove(name);

    public override TransferQueue CreateQueue(int depth) => new Queue(bug);

    public override int GetDirectAlignment(StressFile file) => 512;

    protected override void Dispose(bool isDisposing)
    {
    }

    private sealed class Queue(PlantedBug bug) : TransferQueue
    {
        private readonly Queue<(int Slot, IoResult Result)> _done = new();
        private int _writes;

        public override void Add(int slot, in Transfer transfer)
        {
            _writes = slot == 0 ? 0 : _writes;
            _writes += transfer.IsWrite ? 1 : 0;
            transfer.File.GetLength(out long size);
            bool isInside = transfer.Offset + transfer.Memory.Sum(m => m.Length) <= size && !transfer.Modes.HasFlag(TransferModes.Append);
            IoResult result = !transfer.IsWrite ? transfer.File.Read(transfer.Memory, transfer.Offset, transfer.Modes)
                : bug == PlantedBug.LostInFlight && _writes == 2 && isInside ? IoResult.Transferred(transfer.Memory.Sum(m => m.Length))
                : transfer.File.Write(transfer.Memory, transfer.Offset, transfer.Modes);
            _done.Enqueue((slot, result));
        }

        public override void Submit()
        {
        }

        public override int Take(out IoResult result)
        {
            (int slot, result) = _done.Dequeue();
            return slot;
        }

        protected override void Dispose(bool isDisposing)
        {
        }
    }
}
