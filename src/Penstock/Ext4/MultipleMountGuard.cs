using Penstock.Devices;
using Penstock.Execution;
using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Mapping;

namespace Penstock.Ext4;

/// <summary>
/// Keeps two hosts from changing one volume (the feature mmp): the number in the MMP block moves as long as somebody has the volume open for writing.
/// See https://docs.kernel.org/filesystems/ext4/mmp.html.
/// </summary>
/// <remarks>
/// Rules: (1) whoever finds the number neither clean nor moving for two intervals takes the volume over; one that moves, or is a checker's, means that the
/// volume is in use. Who takes it over waits as long again with his own number there: of several that waited at the same time, the last to write goes on. (2) From then on the number moves once in an interval. Who finds another's in its place, or cannot move it, makes no more
/// changes. So two hosts that find it clean at the very same moment are told apart within an interval, as those that mount it with the kernel are.
/// (3) It is clean again when everything is on the device.
/// </remarks>
internal sealed class MultipleMountGuard
{
    private const int ShortestInterval = 5;
    private const int LongestInterval = 300;

    private readonly VolumeBlock _location;
    private readonly AlignedBuffer _buffer;
    private readonly Alarm _alarm;
    private readonly object _latch = new();
    private readonly int _interval;
    private int _patience;
    private Ext4Volume _volume;
    private FileSystemException? _failure;
    private MmpBlock _own;
    private PooledCompletion<bool>? _idle;
    private bool _isBusy;
    private bool _isReleased;
    private bool _isLost;

    private MultipleMountGuard(Ext4Volume volume)
    {
        _volume = volume;
        _location = new VolumeBlock(volume.Superblock.MmpBlock);
        VolumeGeometry geometry = volume.Geometry;
        if (_location.Value <= geometry.SuperblockBlock.Value || _location.Value >= geometry.BlockCount)
        {
            throw new CorruptVolumeException("superblock", volume.Device.Name, "s_mmp_block", $"{_location.Value}, of {geometry.BlockCount} blocks");
        }

        _interval = Math.Clamp((int)volume.Superblock.MmpInterval, ShortestInterval, LongestInterval);
        _buffer = new AlignedBuffer(geometry.BlockSize, Math.Max(volume.Device.MemoryAlignment, 512));
        _alarm = volume.Scheduler.CreateAlarm(static guard => ((MultipleMountGuard)guard!).OnAlarm(), this);
    }

    private BlockDevice Device => _volume.Device;

    /// <summary>Two intervals of whoever had the volume before, and a moment.</summary>
    private TimeSpan Patience => TimeSpan.FromSeconds((2 * _patience) + 1);

    /// <summary>Claims the volume for writing (rule 1). Waits, without a thread, where somebody may have died with it.</summary>
    /// <exception cref="DeviceException">Busy: another host has it, or a checker. Or the block could not be read or written.</exception>
    /// <exception cref="CorruptVolumeException">The block is damaged.</exception>
    public static async ValueTask<MultipleMountGuard> ClaimAsync(Ext4Volume volume)
    {
        var guard = new MultipleMountGuard(volume);
        try
        {
            bool takesOver = await guard.RequireUnusedAsync().ConfigureAwait(false);
            guard._own = guard.MakeOwn();
            await guard.WriteAsync(guard._own).ConfigureAwait(false);
            if (takesOver)
            {
                await guard.RequireKeptAsync().ConfigureAwait(false);
            }

            await guard.RequireUnchangedAsync().ConfigureAwait(false);
            guard._alarm.Set(TimeSpan.FromSeconds(guard._interval));
            return guard;
        }
        catch
        {
            guard.Dispose();
            throw;
        }
    }

    /// <summary>From now on it is this object of the volume whose changes end with the claim: its journal was replayed and it was read again.</summary>
    /// <exception cref="FileSystemException">The claim is lost already.</exception>
    public void Watch(Ext4Volume volume)
    {
        lock (_latch)
        {
            _volume = volume;
            if (_failure is not null)
            {
                throw _failure;
            }
        }
    }

    /// <summary>Gives the volume up: everything is on the device.</summary>
    /// <exception cref="DeviceException">The block could not be written; the next one to open the volume waits.</exception>
    public async ValueTask ReleaseAsync()
    {
        ValueTask<bool> idle = default;
        lock (_latch)
        {
            if (_isReleased)
            {
                return;
            }

            _isReleased = true;
            _alarm.Cancel();
            if (_isBusy)
            {
                _idle = PooledCompletion<bool>.Rent(_volume.Scheduler);
                idle = _idle.Task;
            }
        }

        await idle.ConfigureAwait(false);
        try
        {
            if (!_isLost)
            {
                await WriteAsync(_own with { Sequence = MmpBlock.SequenceClean }).ConfigureAwait(false);
            }
        }
        finally
        {
            Dispose();
        }
    }

    /// <returns>Whether somebody left it behind.</returns>
    private async ValueTask<bool> RequireUnusedAsync()
    {
        MmpBlock found = await ReadAsync().ConfigureAwait(false);
        if (found.IsClean)
        {
            return false;
        }

        if (found.IsBeingChecked)
        {
            throw InUse(found, "a checker has it, or died with it; if none runs: tune2fs -f -E clear_mmp");
        }

        _patience = Math.Clamp(Math.Max(_interval, (int)found.CheckInterval), ShortestInterval, LongestInterval);
        await DelayAsync(Patience).ConfigureAwait(false);
        MmpBlock later = await ReadAsync().ConfigureAwait(false);
        return later.Sequence == found.Sequence
            ? true
            : throw InUse(later, later.IsClean ? "it was in use a moment ago; try again" : "it is in use");
    }

    /// <summary>Another that waited beside us has written its number after ours: it has the volume.</summary>
    private async ValueTask RequireKeptAsync()
    {
        await DelayAsync(Patience).ConfigureAwait(false);
        MmpBlock found = await ReadAsync().ConfigureAwait(false);
        if (!IsOwn(found))
        {
            throw InUse(found, "it was taken over by another at the same time");
        }
    }

    private bool IsOwn(in MmpBlock found) => found.Sequence == _own.Sequence && found.NodeName == _own.NodeName;

    /// <summary>The superblock was read before the claim: whoever had the volume then may have given it up since, and left another one.</summary>
    private async ValueTask RequireUnchangedAsync()
    {
        byte[] now = await SuperblockKeeper.ReadAsync(Device).ConfigureAwait(false);
        byte[] known = new byte[Superblock.Size];
        _volume.Superblock.WriteTo(known);
        if (!now.AsSpan().SequenceEqual(known))
        {
            await WriteAsync(_own with { Sequence = MmpBlock.SequenceClean }).ConfigureAwait(false);
            throw InUse(_own, "it was in use a moment ago; try again");
        }
    }

    private async ValueTask DelayAsync(TimeSpan delay)
    {
        PooledCompletion<bool> waiter = PooledCompletion<bool>.Rent(_volume.Scheduler);
        using Alarm alarm = _volume.Scheduler.CreateAlarm(static state => ((PooledCompletion<bool>)state!).Complete(true), waiter);
        alarm.Set(delay);
        await waiter.Task.ConfigureAwait(false);
    }

    private void OnAlarm()
    {
        lock (_latch)
        {
            if (_isReleased)
            {
                return;
            }

            _isBusy = true;
        }

        _volume.Scheduler.Start(MoveAsync);
    }

    /// <summary>Rule 2: looks whether the number is still ours, and moves it.</summary>
    private async Task MoveAsync()
    {
        FileSystemException? failure = null;
        try
        {
            MmpBlock found = await ReadAsync().ConfigureAwait(false);
            if (!IsOwn(found))
            {
                _isLost = true;
                failure = InUse(found, "it was taken over");
            }
            else
            {
                _own = _own with { Sequence = (_own.Sequence % MmpBlock.SequenceMax) + 1, Time = Seconds() };
                await WriteAsync(_own).ConfigureAwait(false);
            }
        }
        catch (FileSystemException e)
        {
            failure = e;
        }

        EndMove(failure);
    }

    private void EndMove(FileSystemException? failure)
    {
        PooledCompletion<bool>? idle;
        lock (_latch)
        {
            _isBusy = false;
            _failure = failure;
            idle = _idle;
            if (!_isReleased && failure is null)
            {
                _alarm.Set(TimeSpan.FromSeconds(_interval));
            }
        }

        if (failure is not null)
        {
            _volume.Abort(failure.Fault);
        }

        idle?.Complete(true);
    }

    private MmpBlock MakeOwn()
    {
        Span<byte> random = stackalloc byte[sizeof(uint)];
        _volume.Scheduler.FillRandom(random);
        uint sequence = (BitConverter.ToUInt32(random) % MmpBlock.SequenceMax) + 1;
        return new MmpBlock(sequence, Seconds(), Environment.MachineName, Path.GetFileName(Device.Name), (ushort)_interval);
    }

    private ulong Seconds() => (ulong)Math.Max(0, _volume.Scheduler.UnixNanoseconds / Timestamp.NanosecondsPerSecond);

    private DeviceException InUse(in MmpBlock found, string why) => new(
        IoFault.Busy,
        Device.Name,
        $"{why} (mmp block {_location.Value}: host '{found.NodeName}', device '{found.DeviceName}')",
        (long)_location.Value * _volume.Geometry.BlockSize);

    private async ValueTask<MmpBlock> ReadAsync()
    {
        IoResult result = await Device.ReadAsync((long)_location.Value * _buffer.Length, _buffer.Segment).ConfigureAwait(false);
        RequireDone(result, "read");
        return MmpBlock.Parse(_buffer.GetSpan()[..MmpBlock.Size], _location, _volume.Checksum);
    }

    private async ValueTask WriteAsync(MmpBlock block)
    {
        block.WriteTo(_buffer.GetSpan()[..MmpBlock.Size], _volume.Checksum);
        IoResult result = await Device.WriteAsync((long)_location.Value * _buffer.Length, _buffer.Segment, isThrough: true).ConfigureAwait(false);
        RequireDone(result, "written");
    }

    private void RequireDone(IoResult result, string what)
    {
        if (result.IsFailed)
        {
            throw new DeviceException(result.Fault, Device.Name, $"the mmp block could not be {what}", (long)_location.Value * _buffer.Length);
        }
    }

    private void Dispose()
    {
        _alarm.Dispose();
        ((IDisposable)_buffer).Dispose();
    }
}
