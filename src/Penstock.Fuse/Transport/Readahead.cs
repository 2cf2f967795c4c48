using System.Globalization;

namespace Penstock.Fuse.Transport;

/// <summary>
/// How far the kernel reads ahead on a mount. What INIT answers can only lower its default of 128 KiB; root may raise it in the control files of the mount's
/// backing device. Nobody is refused a mount over it.
/// </summary>
internal static class Readahead
{
    /// <summary>Raises it, where that is allowed.</summary>
    /// <param name="directory">Where it is mounted. Only the mount table is looked at: the mount itself is not touched.</param>
    /// <param name="bytes">How far.</param>
    public static void TryRaise(string directory, uint bytes)
    {
        try
        {
            string? device = FindDevice(File.ReadLines("/proc/self/mountinfo"), directory);
            if (device is not null)
            {
                File.WriteAllText($"/sys/class/bdi/{device}/read_ahead_kb", (bytes / 1024).ToString(CultureInfo.InvariantCulture));
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Not root, or no such control here: the default stays.
        }
    }

    /// <summary>The device numbers, as "0:39", of what lies on top in a directory. Lines: id, parent, device, root, directory, …, "-", type, …</summary>
    internal static string? FindDevice(IEnumerable<string> mountTable, string directory)
    {
        // The table writes a space and its like as three octal digits; such a directory is not found, and keeps the default.
        string? device = null;
        foreach (string line in mountTable)
        {
            string[] fields = line.Split(' ');
            if (fields.Length > 5 && fields[4] == directory)
            {
                int dash = Array.IndexOf(fields, "-");
                device = dash > 0 && dash + 1 < fields.Length && fields[dash + 1].StartsWith("fuse.", StringComparison.Ordinal) ? fields[2] : null;
            }
        }

        return device;
    }
}
