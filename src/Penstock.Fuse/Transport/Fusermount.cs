using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Penstock.Fuse.Transport;

/// <summary>
/// Mounting without privilege. fusermount3 opens and mounts /dev/fuse and passes the open device back as SCM_RIGHTS over the
/// socket that the environment variable _FUSE_COMMFD names.
/// </summary>
internal static unsafe class Fusermount
{
    private const string Program = "fusermount3";
    private const int UnixDomain = 1;
    private const int Stream = 1;
    private const int SetDescriptorFlags = 2;
    private const int CloseOnExec = 1;
    private const int SocketLevel = 1;
    private const int Rights = 1;

    /// <summary>struct cmsghdr: length of 8 bytes, level and type of 4 bytes each, then the data.</summary>
    private const int ControlHeader = 16;

    public static SafeFileHandle Attach(string path, FuseMountOptions options)
    {
        int* pair = stackalloc int[2];
        if (LinuxCalls.SocketPair(UnixDomain, Stream, 0, pair) < 0)
        {
            throw new FileSystemException(IoFault.NoMemory, "no socket for fusermount3");
        }

        // Only the other end may reach the program: it ends the connection by exiting.
        _ = LinuxCalls.FileControl(pair[0], SetDescriptorFlags, CloseOnExec);
        Process process;
        try
        {
            process = Start(
                ["-o", options.ForFusermount(), "--", path], ("_FUSE_COMMFD", pair[1].ToString(CultureInfo.InvariantCulture)));
        }
        catch
        {
            _ = LinuxCalls.Close(pair[0]);
            throw;
        }
        finally
        {
            _ = LinuxCalls.Close(pair[1]);
        }

        using (process)
        {
            int descriptor = ReceiveDescriptor(pair[0]);
            _ = LinuxCalls.Close(pair[0]);
            string complaint = WaitFor(process);
            return descriptor >= 0
                ? new SafeFileHandle(descriptor, ownsHandle: true)
                : throw new FileSystemException(IoFault.NotPermitted, $"{path}: cannot be mounted on: {complaint}");
        }
    }

    public static bool TryDetach(string path)
    {
        using Process process = Start(["-u", "--", path]);
        string complaint = WaitFor(process);
        if (process.ExitCode == 0)
        {
            return true;
        }

        return complaint.Contains("busy", StringComparison.OrdinalIgnoreCase)
            ? false
            : throw new FileSystemException(IoFault.NotPermitted, $"{path}: cannot be unmounted: {complaint}");
    }

    private static Process Start(string[] arguments, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(Program, arguments) { RedirectStandardError = true };
        start.Environment["LC_ALL"] = "C";
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        try
        {
            return Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception cause)
        {
            throw new FileSystemException(
                IoFault.NotSupported, "fusermount3 is not there: install the package fuse3, or mount as root", cause);
        }
    }

    private static string WaitFor(Process process)
    {
        string complaint = process.StandardError.ReadToEnd().Trim();
        process.WaitForExit();
        return complaint.Length > 0 ? complaint : $"{Program} failed";
    }

    private static int ReceiveDescriptor(int socket)
    {
        byte data = 0;
        byte* control = stackalloc byte[64];
        new Span<byte>(control, 64).Clear();
        var vector = new IoVector { Base = &data, Length = 1 };
        var message = new MessageHeader { Vectors = &vector, VectorCount = 1, Control = control, ControlLength = 64 };
        nint received;
        do
        {
            received = LinuxCalls.ReceiveMessage(socket, &message, 0);
        }
        while (received < 0 && Marshal.GetLastPInvokeError() == Protocol.Errno.EINTR.Value);

        bool hasDescriptor = received > 0 && message.ControlLength >= ControlHeader + sizeof(int)
            && *(int*)(control + 8) == SocketLevel && *(int*)(control + 12) == Rights;
        if (!hasDescriptor)
        {
            return -1;
        }

        int descriptor = *(int*)(control + ControlHeader);
        _ = LinuxCalls.FileControl(descriptor, SetDescriptorFlags, CloseOnExec);
        return descriptor;
    }
}
