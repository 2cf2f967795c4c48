namespace Penstock;

/// <summary>What <see cref="OpenFile.ChangeRangeAsync"/> does with a range of a file (the modes of <c>fallocate</c>).</summary>
public enum FileRangeChange
{
    /// <summary>Allocates blocks for the holes, which read as zeros; extends the file over the range.</summary>
    Allocate,

    /// <summary>As <see cref="Allocate"/>, and the size stays.</summary>
    AllocateKeepingSize,

    /// <summary>Frees the whole blocks of the range and zeroes the rest of it; the size stays.</summary>
    PunchHole,

    /// <summary>Makes the range read as zeros and allocates its holes; extends the file over the range.</summary>
    Zero,

    /// <summary>As <see cref="Zero"/>, and the size stays.</summary>
    ZeroKeepingSize,

    /// <summary>Takes the range, whole blocks of it, out of the file: what follows moves down.</summary>
    Collapse,

    /// <summary>Puts a hole of whole blocks there: what follows moves up.</summary>
    Insert,
}
