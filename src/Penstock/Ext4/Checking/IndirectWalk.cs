using Penstock.Ext4.Format;
using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Checking;

/// <summary>Walks the block map of an inode and adds up what it maps. Used by one activity.</summary>
internal sealed class IndirectWalk(CheckRun run, ContentTally tally) : IDisposable
{
    private const int DirectCount = 12;
    private const int Levels = 3;

    private readonly AlignedBuffer?[] _levels = new AlignedBuffer?[Levels];
    private readonly byte[] _root = new byte[InodeRecord.BlockFieldSize];
    private uint _inode;
    private ulong _runFile;
    private ulong _runVolume;
    private ulong _runLength;

    /// <summary>What the last walk met.</summary>
    public MapFaults Faults { get; } = new(run, tally);

    public void Dispose()
    {
        foreach (AlignedBuffer? level in _levels)
        {
            ((IDisposable?)level)?.Dispose();
        }
    }

    public async ValueTask RunAsync(InodeRecord record, uint inode)
    {
        _inode = inode;
        Faults.Clear();
        record.BlockField.CopyTo(_root);
        AddAll(_root.AsSpan(0, DirectCount * 4), 0);
        ulong perBlock = (ulong)run.BlockSize / 4;
        ulong file = DirectCount;
        ulong span = 1;
        for (int level = 0; level < Levels; level++)
        {
            span *= perBlock;
            uint pointer = U32(_root, (DirectCount + level) * 4);
            if (pointer != 0)
            {
                await WalkAsync(pointer, file, level, span).ConfigureAwait(false);
            }

            file += span;
        }

        EndRun();
    }

    private async ValueTask WalkAsync(uint block, ulong file, int level, ulong span)
    {
        EndRun();
        if (!run.Contains(block))
        {
            Report(file, block);
            return;
        }

        if (!tally.AddMapBlock(block))
        {
            return;
        }

        AlignedBuffer buffer = _levels[level] ??= run.Store.Allocate(1);
        if (!await run.Store.ReadAsync(block, 1, buffer.Segment).ConfigureAwait(false))
        {
            Faults.Report("indirect block", $"block {block}, inode {_inode}", "it cannot be read");
            return;
        }

        if (level == 0)
        {
            AddAll(buffer.GetSpan(), file);
            return;
        }

        ulong below = span / ((ulong)run.BlockSize / 4);
        for (int i = 0; i < run.BlockSize / 4; i++)
        {
            uint pointer = U32(buffer.GetSpan(), i * 4);
            if (pointer != 0)
            {
                await WalkAsync(pointer, file + ((uint)i * below), level - 1, below).ConfigureAwait(false);
            }
        }
    }

    private void AddAll(ReadOnlySpan<byte> pointers, ulong file)
    {
        for (int i = 0; i < pointers.Length / 4; i++)
        {
            uint pointer = U32(pointers, i * 4);
            if (pointer == 0)
            {
                continue;
            }

            if (!run.Contains(pointer))
            {
                Report(file + (uint)i, pointer);
            }
            else if (_runLength > 0 && pointer == _runVolume + _runLength && file + (uint)i == _runFile + _runLength)
            {
                _runLength++;
            }
            else
            {
                EndRun();
                (_runFile, _runVolume, _runLength) = (file + (uint)i, pointer, 1);
            }
        }
    }

    private void EndRun()
    {
        if (_runLength > 0)
        {
            tally.Add(_runFile, _runVolume, _runLength, isUnwritten: false);
            _runLength = 0;
        }
    }

    private void Report(ulong file, uint block) =>
        Faults.Report("block map", $"inode {_inode}, file block {file}", $"block {block} is not on the volume");
}
