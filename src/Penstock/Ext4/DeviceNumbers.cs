namespace Penstock.Ext4;

/// <summary>Between major and minor numbers of a device file and the one number of <c>st_rdev</c>, as the C library of Linux packs it.</summary>
internal static class DeviceNumbers
{
    public static ulong Join(uint major, uint minor) =>
        ((ulong)(major & 0xFFFFF000) << 32) | ((major & 0xFFFu) << 8) | ((ulong)(minor & 0xFFFFFF00) << 12) | (minor & 0xFFu);

    public static (uint Major, uint Minor) Split(ulong number) =>
        ((uint)((number >> 32) & 0xFFFFF000) | (uint)((number >> 8) & 0xFFF), (uint)((number >> 12) & 0xFFFFFF00) | (uint)(number & 0xFF));
}
