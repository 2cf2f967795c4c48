using Microsoft.Win32.SafeHandles;
using Penstock.Devices;
using Penstock.Execution;
using Penstock.Memory;

namespace Penstock.Outside.Ext4;

/// <summary>An image file as a device, in the plainest way there is: every request is done at once and completes later.</summary>
internal sealed class ImageFileDevice : BlockDevice
{
    private readonly SafeFileHandle handle;

    public ImageFileDevice(string path, Scheduler scheduler, int logicalBlockSize = 512)
        : base(path, scheduler)
    {
        handle = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite);
        Length = RandomAccess.GetLength(handle);
        LogicalBlockSize = logicalBlockSize;
    }

    public override string Description => "image file of a test";

    public override long Length { get; }

    public override int LogicalBlockSize { get; }

    public override int PhysicalBlockSize => LogicalBlockSize;

    public override int MemoryAlignment => 1;

    public override bool IsReadOnly => false;

    public override bool CanDiscard => false;

    public long BytesWritten { get; private set; }

    public override ValueTask DisposeAsync()
    {
        handle.Dispose();
        return ValueTask.CompletedTask;
    }

    protected override void SubmitChecked(DeviceRequest request)
    {
        long offset = request.Offset;
        foreach (IoSegment segment in request.Segments)
        {
            if (request.IsWrite)
            {
                RandomAccess.Write(handle, segment.Bytes, offset);
                BytesWritten += segment.Length;
            }
            else
            {
                RandomAccess.Read(handle, segment.Bytes, offset);
            }

            offset += segment.Length;
        }

        if (request.Operation == DeviceOperation.WriteZeroes)
        {
            // Holes read as zeros: only where there is something else is it worth a write.
            Zero(request.Offset, request.Length);
        }

        Scheduler.Post(static state => ((DeviceRequest)state!).Complete(IoResult.Transferred(((DeviceRequest)state!).Length)), request);
    }

    private void Zero(long offset, long length)
    {
        if (!HostCalls.Punch(handle, offset, length))
        {
            RandomAccess.Write(handle, new byte[length], offset);
        }
    }

    private static class HostCalls
    {
        private const int PunchHoleKeepSize = 3;

        public static bool Punch(SafeFileHandle handle, long offset, long length) => NativePunch(handle, PunchHoleKeepSize, offset, length) == 0;

        [System.Runtime.InteropServices.DllImport("libc", EntryPoint = "fallocate")]
        private static extern int NativePunch(SafeFileHandle handle, int mode, long offset, long length);
    }
}
