namespace Penstock.Bench.Comparing;

/// <summary>FUSE over io_uring, which is off unless root switches it on: on for a while, and then as it was.</summary>
internal static class FuseRing
{
    private const string Switch = "/sys/module/fuse/parameters/enable_uring";

    /// <exception cref="InvalidOperationException">This kernel has no such switch.</exception>
    public static async Task<T> WithAsync<T>(Func<Task<T>> use)
    {
        if (!File.Exists(Switch))
        {
            throw new InvalidOperationException("this kernel has no FUSE over io_uring");
        }

        string before = (await File.ReadAllTextAsync(Switch)).Trim();
        await File.WriteAllTextAsync(Switch, "Y");
        try
        {
            return await use();
        }
        finally
        {
            await File.WriteAllTextAsync(Switch, before);
        }
    }
}
