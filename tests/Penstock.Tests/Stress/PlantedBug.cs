namespace Penstock.Tests.Stress;

/// <summary>What a file can be made to do wrong.</summary>
public enum PlantedBug
{
    None,

    /// <summary>A write of several whole pages loses the second.</summary>
    LostPage,

    /// <summary>What a truncate cuts off is there again when the file grows.</summary>
    StaleTail,

    /// <summary>The gap before a write beyond the end is not zero.</summary>
    GapNotZero,

    /// <summary>An allocation that keeps the size does not.</summary>
    SizeMoves,

    /// <summary>An append at a page boundary is acknowledged and dropped.</summary>
    DroppedAppend,

    /// <summary>A punch takes one byte too many.</summary>
    PunchTooFar,

    /// <summary>Of a vectored write only the first three pieces arrive.</summary>
    TornVectors,

    /// <summary>A direct read does not see what is only in the cache.</summary>
    DirectReadMissesCache,

    /// <summary>A buffered read does not see what went past the cache.</summary>
    DirectWriteLeavesCache,

    /// <summary>A copy leaves out what is no whole sector at its end.</summary>
    CopyLosesTail,

    /// <summary>A collapse moves by one byte too few.</summary>
    CollapseShifts,

    /// <summary>An inserted range holds what was there before.</summary>
    InsertShowsOld,

    /// <summary>A store through a map to a second page is lost.</summary>
    MappedPageLost,

    /// <summary>A read at the end is a byte short.</summary>
    ShortRead,

    /// <summary>SEEK_DATA takes a page of data for a hole.</summary>
    SeekSkipsData,

    /// <summary>Of two writes in flight the second is lost.</summary>
    LostInFlight,

    /// <summary>Reopening rounds the size down.</summary>
    ReopenCutsSize,

    /// <summary>Dropping the cache drops what was not written back.</summary>
    DropLosesDirty,

    /// <summary>A legal range is refused.</summary>
    RefusesOddOffsets,
}
