using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Penstock.Cli.Host;
using Penstock.Cli.Naming;

namespace Penstock.Cli.Copying;

/// <summary>The host's files.</summary>
internal sealed class HostTree : FileTree
{
    public override string Describe(string path) => path;

    public override ValueTask<TreeFile?> FindAsync(string path, bool followLink)
    {
        if (LinuxCalls.GetStatus(path, followLink, out HostStatus status) != 0)
        {
            return Marshal.GetLastPInvokeError() is 2 or 20 ? new ValueTask<TreeFile?>((TreeFile?)null) : throw Failed(path);
        }

        return new ValueTask<TreeFile?>(new TreeFile
        {
            Kind = ModeBits.ToKind(status.Mode),
            Permissions = (UnixFileMode)(status.Mode & ModeBits.PermissionMask),
            UserId = status.UserId,
            GroupId = status.GroupId,
            Length = status.Length,
            AllocatedBytes = status.Sectors * 512,
            Links = status.Links,
            AccessTime = status.AccessTime,
            ModifyTime = status.ModifyTime,
            DeviceNumber = DeviceNumbers.Join(status.DeviceMajor, status.DeviceMinor),
            Identity = (DeviceNumbers.Join(status.HostMajor, status.HostMinor), status.InodeNumber),
        });
    }

    public override ValueTask<List<string>> ListAsync(string path, CancellationToken cancellationToken)
    {
        var names = new List<string>();
        foreach (string entry in Directory.EnumerateFileSystemEntries(path, "*", new EnumerationOptions { AttributesToSkip = 0, IgnoreInaccessible = false }))
        {
            names.Add(Path.GetFileName(entry));
        }

        names.Sort(string.CompareOrdinal);
        return new ValueTask<List<string>>(names);
    }

    public override ValueTask<TreeContent> OpenAsync(string path, CancellationToken cancellationToken) =>
        new(new HostContent(Opened(LinuxCalls.OpenForReading(path), path)));

    /// <summary>Permissions are set on the way, and with the user's umask; exact ones come with the other attributes.</summary>
    public override ValueTask<TreeContent> CreateAsync(string path, UnixFileMode permissions, CancellationToken cancellationToken) =>
        new(new HostContent(Opened(LinuxCalls.OpenForWriting(path, permissions | UnixFileMode.UserWrite), path)));

    public override ValueTask MakeDirectoryAsync(string path, UnixFileMode permissions)
    {
        Directory.CreateDirectory(path, permissions | UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return ValueTask.CompletedTask;
    }

    public override ValueTask MakeSymbolicLinkAsync(string path, string target)
    {
        File.CreateSymbolicLink(path, target);
        return ValueTask.CompletedTask;
    }

    public override ValueTask MakeHardLinkAsync(string existing, string path) => Check(LinuxCalls.Link(existing, path), path);

    public override ValueTask MakeNodeAsync(string path, TreeFile file) =>
        Check(LinuxCalls.MakeNode(path, ModeBits.FromKind(file.Kind) | (uint)file.Permissions, file.DeviceNumber), path);

    public override ValueTask RemoveAsync(string path)
    {
        File.Delete(path);
        return ValueTask.CompletedTask;
    }

    public override ValueTask<string> ReadLinkAsync(string path) =>
        new(new FileInfo(path).LinkTarget ?? throw new IOException($"{path}: not a symbolic link"));

    public override ValueTask<List<(string Name, byte[] Value)>> ReadAttributesAsync(string path)
    {
        // Asked for the length first: most files have none.
        var attributes = new List<(string, byte[])>();
        if (CheckListed(LinuxCalls.ListAttributes(path, [], 0), path) == 0)
        {
            return new(attributes);
        }

        var names = new byte[65536];
        nint length = CheckListed(LinuxCalls.ListAttributes(path, names, names.Length), path);
        var value = new byte[65536];
        foreach (string name in Encoding.UTF8.GetString(names, 0, (int)length).Split('\0', StringSplitOptions.RemoveEmptyEntries))
        {
            nint size = LinuxCalls.GetAttribute(path, name, value, value.Length);
            if (size >= 0)
            {
                attributes.Add((name, value[..(int)size]));
            }
        }

        return new(attributes);
    }

    public override ValueTask SetAttributeAsync(string path, string name, ReadOnlyMemory<byte> value)
    {
        int result = LinuxCalls.SetAttribute(path, name, value.Span, value.Length, 0);

        // What the host does not take from this user (trusted, security) is left out, as cp does.
        return result != 0 && Marshal.GetLastPInvokeError() is LinuxCalls.NotSupported or LinuxCalls.NotPermitted
            ? ValueTask.CompletedTask
            : Check(result, path);
    }

    public override ValueTask SetPermissionsAsync(string path, UnixFileMode permissions)
    {
        File.SetUnixFileMode(path, permissions);
        return ValueTask.CompletedTask;
    }

    public override ValueTask SetOwnerAsync(string path, uint userId, uint groupId)
    {
        int result = LinuxCalls.ChangeOwner(path, userId, groupId);
        return result != 0 && Marshal.GetLastPInvokeError() is LinuxCalls.NotPermitted or LinuxCalls.InvalidArgument
            ? ValueTask.CompletedTask
            : Check(result, path);
    }

    public override ValueTask SetTimesAsync(string path, Timestamp access, Timestamp modify) =>
        Check(LinuxCalls.SetTimes(path, access, modify), path);

    private static ValueTask Check(int result, string path) => result == 0 ? ValueTask.CompletedTask : throw Failed(path);

    private static nint CheckListed(nint length, string path) =>
        length >= 0 ? length : Marshal.GetLastPInvokeError() == LinuxCalls.NotSupported ? 0 : throw Failed(path);

    private static SafeFileHandle Opened(SafeFileHandle handle, string path)
    {
        if (!handle.IsInvalid)
        {
            return handle;
        }

        handle.Dispose();
        throw Failed(path);
    }

    private static IOException Failed(string path) => new($"{path}: {Marshal.GetLastPInvokeErrorMessage()}");

    private sealed class HostContent(SafeFileHandle file) : TreeContent
    {
        /// <summary>Up to here a transfer is made by the thread that asks: to change threads takes longer.</summary>
        private const int MaxAtOnce = 256 << 10;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, long offset, CancellationToken cancellationToken) =>
            buffer.Length <= MaxAtOnce
                ? new ValueTask<int>(RandomAccess.Read(file, buffer.Span, offset))
                : RandomAccess.ReadAsync(file, buffer, offset, cancellationToken);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, long offset, CancellationToken cancellationToken)
        {
            if (bytes.Length > MaxAtOnce)
            {
                return RandomAccess.WriteAsync(file, bytes, offset, cancellationToken);
            }

            RandomAccess.Write(file, bytes.Span, offset);
            return ValueTask.CompletedTask;
        }

        public override ValueTask<long> SkipHoleAsync(long offset)
        {
            long data = LinuxCalls.Seek(file, offset, LinuxCalls.SeekData);
            return new(data >= 0 ? data : Marshal.GetLastPInvokeError() == LinuxCalls.NoSuchRange ? RandomAccess.GetLength(file) : offset);
        }

        public override ValueTask SetLengthAsync(long length)
        {
            RandomAccess.SetLength(file, length);
            return ValueTask.CompletedTask;
        }

        public override ValueTask DisposeAsync()
        {
            file.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
