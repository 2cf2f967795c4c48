namespace Penstock.Cli.Naming;

/// <summary>Major and minor of a device number in Linux's encoding (<c>makedev(3)</c>).</summary>
internal static class DeviceNumbers
{
    public static (uint Major, uint Minor) Split(ulong number) => (
        (uint)(((number >> 8) & 0xFFF) | ((number >> 32) & 0xFFFFF000)),
        (uint)((number & 0xFF) | ((number >> 12) & 0xFFFFFF00)));

    public static ulong Join(uint major, uint minor) =>
        ((ulong)(major & 0xFFFFF000) << 32) | ((ulong)(major & 0xFFF) << 8) | ((ulong)(minor & 0xFFFFFF00) << 12) | (minor & 0xFF);
}
