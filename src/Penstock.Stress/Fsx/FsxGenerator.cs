using Penstock.Stress.Targets;

namespace Penstock.Stress.Fsx;

/// <summary>Draws operations. Offsets lie where file systems go wrong: at the end of the file, at pages and blocks, and one byte beside them.</summary>
internal sealed class FsxGenerator
{
    private const int Attempts = 30;

    private readonly SeededChance _chance;
    private readonly FsxRules _rules;
    private readonly FsxWeights _weights;
    private int _asyncLeft;
    private bool _asyncIsDirect;

    public FsxGenerator(ulong seed, FsxRules rules)
    {
        _chance = new SeededChance(seed);
        _rules = rules;
        _weights = new FsxWeights(rules.Options);
        foreach (string word in rules.Abilities.Refused)
        {
            _weights.Leave(word);
        }
    }

    /// <summary>An operation that is legal on files like these; null where none was found.</summary>
    public FsxOperation? Next(int number, IReadOnlyList<FileImage> files)
    {
        for (int i = 0; i < Attempts; i++)
        {
            FsxOperation operation = Draw(number, files);
            if (!IsRefusedSince(operation) && _rules.IsLegal(operation, files))
            {
                return operation;
            }
        }

        return null;
    }

    private bool IsRefusedSince(in FsxOperation operation) => _rules.Abilities.IsRefused(operation.Kind.ToWord());

    private FsxOperation Draw(int number, IReadOnlyList<FileImage> files)
    {
        int file = (int)_chance.Below(files.Count);
        long size = files[file].Size;
        OperationKind kind = _asyncLeft > 0 ? DrawTransferKind() : _weights.Choose(_chance);
        FsxOperation operation = new() { Number = number, Kind = kind, File = file, Pieces = 1 };
        if (kind.IsTransfer())
        {
            return DrawTransfer(operation, size);
        }

        long offset = DrawOffset(size, _rules.Options.Alignment);
        long length = DrawLength(_rules.Options.MaxTransfer, _rules.Options.Alignment);
        return kind switch
        {
            OperationKind.Truncate => operation with { Offset = DrawSize(size) },
            OperationKind.Seek => operation with { Offset = offset },
            OperationKind.MapRead => operation with { Offset = offset, Length = length },
            OperationKind.MapWrite => operation with
            {
                Offset = offset,
                Length = Math.Min(length, Math.Max(size - offset, 0)),
                Modes = _chance.Percent(_weights.PercentOf(FsxWeights.Durable)) ? TransferModes.DataSync : TransferModes.Buffered,
            },
            OperationKind.Collapse or OperationKind.Insert => operation with
            {
                Offset = DrawOffset(size, _rules.Abilities.ShiftAlignment), Length = DrawLength(64 << 10, _rules.Abilities.ShiftAlignment),
            },
            OperationKind.Copy => DrawCopy(operation with { Offset = offset, Length = length }, files),
            OperationKind.Sync or OperationKind.DataSync or OperationKind.Reopen or OperationKind.Remount => operation,
            _ => operation with { Offset = offset, Length = length },
        };
    }

    private FsxOperation DrawCopy(FsxOperation copy, IReadOnlyList<FileImage> files)
    {
        int target = (int)_chance.Below(files.Count);
        return copy with { TargetFile = target, Target = DrawOffset(files[target].Size, _rules.Options.Alignment) };
    }

    private OperationKind DrawTransferKind() => _chance.Below(10) switch
    {
        0 => OperationKind.Append,
        < 6 => OperationKind.Write,
        _ => OperationKind.Read,
    };

    private FsxOperation DrawTransfer(FsxOperation operation, long size)
    {
        bool canDirect = _rules.Abilities.DirectAlignment > 0;
        bool isDirect = canDirect && _chance.Percent(_weights.PercentOf(FsxWeights.Direct));
        if (_asyncLeft > 0)
        {
            _asyncLeft--;
            isDirect = _rules.Options.MixesModes ? isDirect : _asyncIsDirect;
            operation = operation with { IsAsync = true };
        }
        else if (_chance.Percent(_weights.PercentOf(FsxWeights.Async)) && _rules.Options.Depth > 1)
        {
            // A group: as many as may be in flight, give or take.
            _asyncLeft = (int)_chance.Below(_rules.Options.Depth);
            _asyncIsDirect = isDirect;
            operation = operation with { IsAsync = true };
        }

        int alignment = isDirect ? Math.Max(_rules.Abilities.DirectAlignment, _rules.Options.Alignment) : _rules.Options.Alignment;
        bool isDurable = operation.Kind != OperationKind.Read && _chance.Percent(_weights.PercentOf(FsxWeights.Durable));
        return operation with
        {
            Offset = operation.Kind == OperationKind.Append ? 0 : DrawOffset(size, alignment),
            Length = DrawLength(_rules.Options.MaxTransfer, alignment),
            Pieces = _chance.Percent(_weights.PercentOf(FsxWeights.Vectored)) ? 2 + (int)_chance.Below(FsxSession.MaxPieces - 1) : 1,
            Modes = (isDirect ? TransferModes.Direct : 0) | (isDurable ? TransferModes.DataSync : 0),
        };
    }

    private long DrawOffset(long size, int alignment)
    {
        long most = _rules.Options.MaxLength;
        long offset = _chance.Below(16) switch
        {
            < 5 => _chance.Below(Math.Max(size, 1)),
            < 7 => _chance.Below(most),
            < 9 => size,
            < 11 => size + _chance.Below(9) - 4,
            < 14 => _chance.Below((Math.Max(size, 1) >> 12) + 1) << 12,
            _ => (_chance.Below((Math.Max(size, 1) >> 10) + 1) << 10) + _chance.Below(3) - 1,
        };
        return Align(Math.Clamp(offset, 0, most), alignment);
    }

    private long DrawLength(long most, int alignment)
    {
        long length = _chance.Below(10) switch
        {
            0 => 1 + _chance.Below(8),
            < 3 => 1 + _chance.Below(512),
            < 5 => 1 + _chance.Below(4096),
            < 7 => (1 + _chance.Below(Math.Max(most >> 12, 1))) << 12,
            _ => 1 + _chance.Below(most),
        };
        return Math.Max(Align(Math.Min(length, most), alignment), alignment);
    }

    private long DrawSize(long size) => _chance.Below(4) switch
    {
        0 => Align(_chance.Below(_rules.Options.MaxLength), _rules.Options.Alignment),
        _ => DrawOffset(size, _rules.Options.Alignment),
    };

    private static long Align(long value, int alignment) => alignment > 1 ? value / alignment * alignment : value;
}
