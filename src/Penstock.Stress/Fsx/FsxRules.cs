using Penstock.Stress.Targets;

namespace Penstock.Stress.Fsx;

/// <summary>Which operations make sense now: a log with holes in it is replayed without those that do not.</summary>
internal sealed class FsxRules(FsxOptions options, TargetAbilities abilities)
{
    private static readonly long s_page = Environment.SystemPageSize;

    public FsxOptions Options { get; } = options;

    public TargetAbilities Abilities { get; } = abilities;

    /// <summary>Whether a direct read may reach beyond the block that holds the end.</summary>
    public bool ReadsDirectPastEnd { get; } =
        !abilities.IsRefused(FsxWeights.DirectPastEnd) && !options.Skipped.Contains(FsxWeights.DirectPastEnd);

    /// <summary>Whether the operation has one right outcome on files like these.</summary>
    public bool IsLegal(in FsxOperation operation, IReadOnlyList<FileImage> files)
    {
        if (operation.File >= files.Count || operation.TargetFile >= files.Count || !FitsDirect(operation, files))
        {
            return false;
        }

        long size = files[operation.File].Size;
        long most = Options.MaxLength;
        int shift = Math.Max(Abilities.ShiftAlignment, 1);
        return operation.Kind switch
        {
            OperationKind.Write => operation.Length > 0 && operation.Length <= Options.MaxTransfer && operation.End <= most,
            OperationKind.Append => operation.Length > 0 && operation.Length <= Options.MaxTransfer && size + operation.Length <= most,
            OperationKind.Read => operation.Length > 0 && operation.Length <= Options.MaxTransfer,
            OperationKind.MapRead => operation.Length > 0 && operation.Length <= Options.MaxTransfer
                && operation.Offset < size && operation.End <= RoundUp(size, s_page),
            OperationKind.MapWrite => operation.Length > 0 && operation.Length <= Options.MaxTransfer && operation.End <= size,
            OperationKind.Truncate => operation.Offset <= most,
            OperationKind.Collapse => operation.Length > 0 && operation.End < size
                && operation.Offset % shift == 0 && operation.Length % shift == 0,
            OperationKind.Insert => operation.Length > 0 && operation.Offset < size && size + operation.Length <= most
                && operation.Offset % shift == 0 && operation.Length % shift == 0,
            OperationKind.Copy => operation.Length > 0 && operation.Target + operation.Length <= most && !OverlapsItself(operation),
            _ => operation.Length >= 0 && operation.End <= most && (operation.Length > 0 || operation.Kind.ToRangeChange() is null),
        };
    }

    /// <summary>Whether a transfer may be in flight together with these: whatever the order, one outcome.</summary>
    public bool CanJoin(IReadOnlyList<FsxOperation> batch, in FsxOperation operation, IReadOnlyList<FileImage> files)
    {
        if (!operation.IsAsync || !operation.Kind.IsTransfer() || batch.Count >= Options.Depth)
        {
            return false;
        }

        long size = files[operation.File].Size;
        (long start, long end) = Range(operation, size);
        if (operation.Kind == OperationKind.Read && end > size)
        {
            // What it returns depends on writes in flight.
            return batch.Count == 0;
        }

        foreach (FsxOperation other in batch)
        {
            if (!other.IsAsync)
            {
                return false;
            }

            if (other.File == operation.File && !Agree(other, operation, start, end, size))
            {
                return false;
            }
        }

        return true;
    }

    private bool Agree(in FsxOperation other, in FsxOperation operation, long start, long end, long size)
    {
        (long otherStart, long otherEnd) = Range(other, size);
        bool bothExtend = end > size && otherEnd > size && (operation.Kind == OperationKind.Append || other.Kind == OperationKind.Append);
        bool isReadBeyond = other.Kind == OperationKind.Read && otherEnd > size;
        if (bothExtend || isReadBeyond)
        {
            return false;
        }

        if (other.IsDirect == operation.IsDirect)
        {
            return end <= otherStart || otherEnd <= start || (operation.Kind == OperationKind.Read && other.Kind == OperationKind.Read);
        }

        // A page that is dirty while a direct write goes under it belongs to neither.
        return Options.MixesModes && (end + s_page <= otherStart || otherEnd + s_page <= start) && Math.Max(end, otherEnd) <= size;
    }

    private static (long Start, long End) Range(in FsxOperation operation, long size) =>
        operation.Kind == OperationKind.Append ? (size, size + operation.Length) : (operation.Offset, operation.End);

    private static bool OverlapsItself(in FsxOperation copy) =>
        copy.File == copy.TargetFile && copy.Offset < copy.Target + copy.Length && copy.Target < copy.End;

    private static long RoundUp(long value, long unit) => (value + unit - 1) / unit * unit;

    private bool FitsDirect(in FsxOperation operation, IReadOnlyList<FileImage> files)
    {
        if (!operation.IsDirect)
        {
            return true;
        }

        int alignment = Abilities.DirectAlignment;
        long size = files[operation.File].Size;
        long start = operation.Kind == OperationKind.Append ? size : operation.Offset;
        if (operation.Kind == OperationKind.Read && !ReadsDirectPastEnd && alignment > 0 && operation.End > RoundUp(size, alignment))
        {
            return false;
        }

        return alignment > 0 && start % alignment == 0 && operation.Length % alignment == 0;
    }
}
