namespace Penstock.Devices;

/// <summary>The image file behind a device's name, before it is opened: made, or made long enough.</summary>
internal static class ImageFile
{
    /// <summary>Makes a sparse file, or lengthens one that is too short. Devices, partitions and memory are left alone.</summary>
    /// <returns>Whether the file is new.</returns>
    /// <exception cref="DeviceException">NotFound: there is no file and no length to make one. FileTooLarge, NoSpace: the host refused the length.</exception>
    public static bool Prepare(string name, long? length)
    {
        DeviceName device = DeviceName.Parse(name);
        if (device.Path is not { } path || device.Partition > 0)
        {
            return false;
        }

        bool isNew = !File.Exists(path) && !Directory.Exists(path);
        if (isNew && length is null)
        {
            throw new DeviceException(IoFault.NotFound, path, "it does not exist, and no length was given to make it");
        }

        if (length is { } bytes && (isNew || IsShortFile(path, bytes)))
        {
            using FileStream file = new(path, isNew ? FileMode.CreateNew : FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            SetLength(file, path, bytes, isNew);
        }

        return isNew;
    }

    private static void SetLength(FileStream file, string path, long bytes, bool isNew)
    {
        try
        {
            file.SetLength(bytes);
        }
        catch (IOException e)
        {
            if (isNew)
            {
                File.Delete(path);
            }

            throw new DeviceException(IoFault.FileTooLarge, path, $"cannot be made {bytes} bytes long: {e.Message}");
        }
    }

    /// <summary>Devices have no length as files, and cannot be lengthened.</summary>
    private static bool IsShortFile(string path, long bytes) =>
        (File.GetAttributes(path) & (FileAttributes.Directory | FileAttributes.Device)) == 0
        && new FileInfo(path) is { Exists: true } file && !path.StartsWith("/dev/", StringComparison.Ordinal) && file.Length < bytes;
}
