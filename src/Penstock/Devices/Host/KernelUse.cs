using System.Globalization;
using Penstock.Uring;

namespace Penstock.Devices.Host;

/// <summary>
/// Whether the kernel itself uses an image or disk: as a mounted file system, or as a loop device. It honours no advisory lock for
/// either, so its tables are looked at.
/// </summary>
/// <remarks>
/// What cannot be seen: mounts in other mount namespaces (containers), though an exclusive open of a block device is still
/// refused for them; a loop device whose backing file was renamed in another namespace or lies under a path that is not visible in this one; users
/// on other hosts of a shared file or disk; and anything that begins after the check.
/// </remarks>
internal static class KernelUse
{
    private const string MountTable = "/proc/self/mountinfo";

    /// <summary>A sentence that says what uses it, or null. A reader may share an image with a loop device that only reads.</summary>
    public static string? Find(in FileStatus status, bool isReadOnly)
    {
        string? mount = FindMount(status, ReadLines(MountTable));
        return mount is not null
            ? $"it is mounted on {mount}; unmount it first"
            : status.IsRegularFile && FindLoop(status, isReadOnly) is { } loop
                ? $"the loop device {loop} uses it; detach that first with: losetup -d {loop}"
                : null;
    }

    /// <summary>The mount point of a mount whose device is, or whose source names, the given file; null if there is none.</summary>
    public static string? FindMount(in FileStatus status, IEnumerable<string> lines)
    {
        foreach (string line in lines)
        {
            // id parent major:minor root point options [optional...] - type source superoptions
            string[] fields = line.Split(' ');
            int dash = Array.IndexOf(fields, "-");
            if (dash < 6 || fields.Length < dash + 3)
            {
                continue;
            }

            bool isDevice = status.IsBlockDevice && fields[2] == status.SpecialDevice.ToString();
            if (isDevice || (!IsOurs(fields[dash + 1]) && IsSame(status, Unescape(fields[dash + 2]))))
            {
                return Unescape(fields[4]);
            }
        }

        return null;
    }

    /// <summary>Undoes the octal escapes of the kernel's tables: \040 is a blank.</summary>
    internal static string Unescape(string field)
    {
        if (!field.Contains('\\', StringComparison.Ordinal))
        {
            return field;
        }

        var bytes = new List<byte>(field.Length);
        for (int i = 0; i < field.Length; i++)
        {
            if (field[i] == '\\' && i + 3 < field.Length)
            {
                bytes.Add((byte)((field[i + 1] - '0' << 6) | (field[i + 2] - '0' << 3) | (field[i + 3] - '0')));
                i += 3;
            }
            else
            {
                bytes.AddRange(System.Text.Encoding.UTF8.GetBytes(field, i, 1));
            }
        }

        return System.Text.Encoding.UTF8.GetString([.. bytes]);
    }

    // A mount of our own holds a lock on the image as long as its process lives; after that the mount is dead and the image free.
    private static bool IsOurs(string type) => type.StartsWith("fuse.penstock", StringComparison.Ordinal);

    private static bool IsSame(in FileStatus status, string path) =>
        path.StartsWith('/')
        && HostFile.GetStatus(path, out FileStatus other) == Errno.None
        && (status.IsBlockDevice
            ? other.IsBlockDevice && other.SpecialDevice == status.SpecialDevice
            : other.Inode == status.Inode && other.Device == status.Device);

    private static string? FindLoop(in FileStatus status, bool isReadOnly)
    {
        if (!Directory.Exists("/sys/block"))
        {
            return null;
        }

        foreach (string directory in Directory.EnumerateDirectories("/sys/block", "loop*"))
        {
            string? backing = ReadLines($"{directory}/loop/backing_file").FirstOrDefault();
            if (backing is null || !IsSame(status, backing))
            {
                continue;
            }

            bool onlyReads = ReadLines($"{directory}/ro").FirstOrDefault() == "1";
            if (!isReadOnly || !onlyReads)
            {
                return $"/dev/{Path.GetFileName(directory)}";
            }
        }

        return null;
    }

    private static string[] ReadLines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>Whether a block device gives storage back on discard (queue/discard_max_bytes of it or of its disk is not 0).</summary>
    public static bool CanDiscard(DeviceNumber device)
    {
        foreach (string queue in (string[])["queue", "../queue"])
        {
            string? most = ReadLines($"/sys/dev/block/{device}/{queue}/discard_max_bytes").FirstOrDefault();
            if (most is not null)
            {
                return long.TryParse(most, NumberStyles.None, CultureInfo.InvariantCulture, out long bytes) && bytes > 0;
            }
        }

        return false;
    }
}
