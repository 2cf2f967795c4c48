namespace Penstock.Files;

/// <summary>Options of a request that only the core's own callers set.</summary>
internal static class RequestOptions
{
    /// <summary>
    /// The writer may keep setuid and setgid on what he writes (CAP_FSETID); file capabilities go all the same. Only who knows his users, as
    /// the mount does, sets it.
    /// </summary>
    public const IoOptions KeepsSetId = (IoOptions)(1 << 16);

    /// <summary>The data was stored before through a mapping of the file: the kernel writes its dirty pages back.</summary>
    public const IoOptions WrittenBack = (IoOptions)(1 << 17);

    public static bool KeepsSetIdOf(IoOptions options) => (options & KeepsSetId) != 0;
}
