namespace Penstock.Stress.Targets;

/// <summary>A file of a volume in this process.</summary>
internal sealed class VolumeStressFile : StressFile
{
    private readonly VolumeFolder _folder;
    private OpenFile? _open;

    public VolumeStressFile(VolumeFolder folder, string name, bool isNew)
        : base(name)
    {
        _folder = folder;
        _open = folder.OpenFile(name, isNew ? FileMode.Create : FileMode.Open);
    }

    /// <summary>The open file.</summary>
    public OpenFile Open => _open ?? throw new ObjectDisposedException(Name);

    /// <summary>The library's own options for these modes.</summary>
    public static IoOptions Translate(TransferModes modes) =>
        (modes.HasFlag(TransferModes.Direct) ? IoOptions.Direct : 0)
        | (modes.HasFlag(TransferModes.Append) ? IoOptions.Append : 0)
        | (modes.HasFlag(TransferModes.DataSync) ? IoOptions.DataSync : 0);

    public override IoFault GetLength(out long length)
    {
        length = Open.Length;
        return IoFault.None;
    }

    public override IoResult Read(IReadOnlyList<Memory<byte>> memory, long offset, TransferModes modes) => Try(
        static c => c.memory.Count == 1
            ? VolumeFolder.Wait(c.Open.ReadAsync(c.memory[0], c.offset, c.options))
            : VolumeFolder.Wait(c.Open.ReadAsync(c.memory, c.offset, c.options)),
        (Open, memory, offset, options: Translate(modes)));

    public override IoResult Write(IReadOnlyList<Memory<byte>> memory, long offset, TransferModes modes) => Try(
        static c => c.memory.Count == 1
            ? VolumeFolder.Wait(c.Open.WriteAsync(c.memory[0], c.offset, c.options))
            : VolumeFolder.Wait(c.Open.WriteAsync(AsReadOnly(c.memory), c.offset, c.options)),
        (Open, memory, offset, options: Translate(modes)));

    public override IoFault SetLength(long length) => Try(static c => c.Open.SetLengthAsync(c.length), (Open, length));

    public override IoFault ChangeRange(FileRangeChange change, long offset, long length) =>
        Try(static c => c.Open.ChangeRangeAsync(c.change, c.offset, c.length), (Open, change, offset, length));

    public override IoResult CopyRange(long offset, StressFile target, long targetOffset, long length) => Try(
        static c => VolumeFolder.Wait(c.Open.CopyRangeAsync(c.offset, c.to, c.targetOffset, c.length)),
        (Open, to: ((VolumeStressFile)target).Open, offset, targetOffset, length));

    public override IoFault Flush(bool dataOnly) => Try(static c => c.Open.FlushAsync(c.dataOnly), (Open, dataOnly));

    public override IoFault Reopen()
    {
        Close();
        _open = _folder.OpenFile(Name, FileMode.Open);
        return IoFault.None;
    }

    public override IoFault DropCache(long offset, long length)
    {
        IoFault fault = Flush(dataOnly: true);
        return fault != IoFault.None ? fault : Try(static c => DropAsync(c.Open, c.offset, c.length), (Open, offset, length));
    }

    public override IoFault Find(bool isData, long offset, out long found)
    {
        found = 0;
        try
        {
            long? place = VolumeFolder.Wait(isData ? Open.FindDataAsync(offset) : Open.FindHoleAsync(offset));
            found = place ?? 0;
            return place is null ? IoFault.NoSuchRange : IoFault.None;
        }
        catch (FileSystemException e)
        {
            return e.Fault;
        }
    }

    internal static ReadOnlyMemory<byte>[] AsReadOnly(IReadOnlyList<Memory<byte>> memory) => [.. memory.Select(m => (ReadOnlyMemory<byte>)m)];

    /// <summary>Gives the open file up, for a time or for good.</summary>
    internal void Close()
    {
        _open?.Dispose();
        _open = null;
    }

    protected override void Dispose(bool isDisposing)
    {
        Close();
        _folder.Forget(this);
    }

    private static async ValueTask DropAsync(OpenFile file, long offset, long length) =>
        await file.Inode.Pages!.InvalidateAsync(offset, length).ConfigureAwait(false);

    private static IoResult Try<T>(Func<T, long> call, T context)
    {
        try
        {
            return IoResult.Transferred(call(context));
        }
        catch (FileSystemException e)
        {
            return IoResult.Failed(e.Fault);
        }
    }

    private static IoFault Try<T>(Func<T, ValueTask> call, T context)
    {
        try
        {
            VolumeFolder.Wait(call(context));
            return IoFault.None;
        }
        catch (FileSystemException e)
        {
            return e.Fault;
        }
    }
}
