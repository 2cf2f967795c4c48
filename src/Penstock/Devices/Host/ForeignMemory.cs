using Penstock.Uring;

namespace Penstock.Devices.Host;

/// <summary>Memory that may be mapped from a file: each page that is not there is waited for, perhaps for this very process.</summary>
internal static class ForeignMemory
{
    /// <summary>Copies bytes from it or to it, outside managed code: so a collection of garbage does not wait for whoever waits for a page.</summary>
    /// <param name="destination">The first byte to write.</param>
    /// <param name="source">The first byte to read.</param>
    /// <param name="length">How many bytes, not negative.</param>
    public static void Copy(nint destination, nint source, int length) => HostMemory.Move(destination, source, length);
}
