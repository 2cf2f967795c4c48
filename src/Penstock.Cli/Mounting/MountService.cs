using Penstock.Cli.Host;
using Penstock.Devices;
using Penstock.Ext4.Making;
using Penstock.Fuse;

namespace Penstock.Cli.Mounting;

/// <summary>
/// A mounted volume from its start until it has been released: whoever ends it (a signal, <c>unmount</c>, the host's <c>umount</c>), all is written
/// back first.
/// </summary>
internal sealed class MountService
{
    private readonly Volume _volume;
    private readonly Mount _mount;
    private readonly TaskCompletionSource<string> _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SemaphoreSlim _unmounting = new(1);

    private MountService(Volume volume, Mount mount)
    {
        _volume = volume;
        _mount = mount;
    }

    private ControlServer Control { get; set; } = null!;

    private string Directory => _mount.Directory;

    /// <summary>Why nothing can be written through the mount, or null.</summary>
    public string? ReadOnlyReason => _volume.ReadOnlyReason;

    /// <summary>What was found in the volume's journal, or null.</summary>
    public string? RecoveryDescription => _volume.RecoveryDescription;

    /// <summary>Opens and mounts; returns when the mount answers and its end can be asked for.</summary>
    public static async Task<MountService> StartAsync(string name, VolumeOptions how, string directory, MountOptions options)
    {
        Volume volume = await OpenAsync(name, how);
        try
        {
            Mount mount = await Mount.StartAsync(volume, directory, options);
            var service = new MountService(volume, mount);
            try
            {
                service.Control = ControlServer.Start(ControlPlace.Create(directory), service.UnmountAsync);
                return service;
            }
            catch
            {
                await mount.DisposeAsync();
                throw;
            }
        }
        catch
        {
            await volume.DisposeAsync();
            throw;
        }
    }

    /// <summary>Serves until the mount is gone, then releases the volume.</summary>
    /// <exception cref="FileSystemException">Something could not be written.</exception>
    public async Task RunAsync(CancellationToken interrupted)
    {
        await using (Control)
        {
            await using CancellationTokenRegistration registration = interrupted.UnsafeRegister(
                static service => _ = ((MountService)service!).EndAsync(), this);
            await ReleaseAsync();
        }
    }

    /// <summary>Memory has no volume yet: it lives as long as its mount.</summary>
    private static async Task<Volume> OpenAsync(string name, VolumeOptions options)
    {
        if (DeviceName.Parse(name).Path is not null)
        {
            return await Volume.OpenAsync(name, options);
        }

        BlockDevice memory = await DeviceOpener.OpenAsync(name, new DeviceOptions());
        await Ext4Maker.MakeAsync(memory, new MakingOptions());
        return await Volume.OpenAsync(memory, options);
    }

    /// <summary>The answer for who asked: at once if the mount is busy or the host has no room for what is to be written, else when the volume has been released.</summary>
    private async Task<string> UnmountAsync()
    {
        await _unmounting.WaitAsync();
        try
        {
            await _mount.UnmountAsync();
        }
        catch (FileSystemException e) when (e.Fault == IoFault.Busy || (e.Fault == IoFault.NoSpace && !_mount.Completion.IsCompleted))
        {
            return $"{ControlServer.FailedAnswer}{e.Message}";
        }
        catch (FileSystemException)
        {
            // The reason comes with the release.
        }
        finally
        {
            _unmounting.Release();
        }

        return await _released.Task;
    }

    /// <summary>A signal: what has files open there keeps them, but nobody new comes in, and the process ends with the last.</summary>
    private async Task EndAsync()
    {
        string answer = await UnmountAsync();
        if (answer.StartsWith(ControlServer.FailedAnswer, StringComparison.Ordinal) && !_released.Task.IsCompleted)
        {
            LazyUnmount.Detach(Directory);
        }
    }

    private async Task ReleaseAsync()
    {
        string answer = ControlServer.DoneAnswer;
        try
        {
            try
            {
                await _mount.Completion;
            }
            finally
            {
                await _volume.DisposeAsync();
            }
        }
        catch (Exception e)
        {
            answer = $"{ControlServer.FailedAnswer}{e.Message}";
            throw;
        }
        finally
        {
            Control.Hide();
            _released.TrySetResult(answer);
        }
    }
}
