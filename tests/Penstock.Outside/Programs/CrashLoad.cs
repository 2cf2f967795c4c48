using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Penstock.Outside.Programs;

/// <summary>
/// One user of a mount that is about to crash: files written, synced, renamed, linked, cut short, punched, removed while open; folders made and removed. What it does
/// follows from its seed, until the mount fails.
/// </summary>
internal sealed partial class CrashLoad(string root, int seed) : IDisposable
{
    private const int MaxOpen = 8;
    private const int MaxFiles = 24;
    private const int Block = 1024;
    private static readonly byte[] s_logMagic = [0xC0, 0x3B, 0x39, 0x98];
    private const int PunchHole = 3; // FALLOC_FL_PUNCH_HOLE with FALLOC_FL_KEEP_SIZE

    private readonly Random _random = new(seed);
    private readonly List<string> _files = [];
    private readonly Queue<FileStream> _unlinked = new();
    private readonly string _folder = Path.Combine(root, $"load-{seed}");
    private int _made;

    /// <summary>Goes on until the mount fails.</summary>
    public void Run()
    {
        try
        {
            Directory.CreateDirectory(_folder);
            while (true)
            {
                Step();
            }
        }
        catch (IOException)
        {
            // The mount has crashed.
        }
        catch (UnauthorizedAccessException)
        {
            // The same, as a call on a name tells it.
        }
    }

    /// <summary>Closes what was kept open, after the mount is gone.</summary>
    public void Dispose()
    {
        foreach (FileStream file in _unlinked)
        {
            file.Dispose();
        }
    }

    private void Step()
    {
        int choice = _random.Next(12);
        if (_files.Count < 3 || choice < 3)
        {
            Write(NewFile(), FileMode.CreateNew, _random.Next(60_000));
        }
        else if (choice < 5)
        {
            Write(Any(), FileMode.Append, _random.Next(200_000));
        }
        else if (choice == 5)
        {
            Cut(Any());
        }
        else if (choice == 6)
        {
            Punch(Any());
        }
        else
        {
            ChangeName(choice);
        }

        if (_files.Count > MaxFiles)
        {
            Remove();
        }
    }

    private void ChangeName(int choice)
    {
        string name = Any();
        switch (choice)
        {
            case 7:
                string renamed = NewFile();
                File.Move(name, renamed);
                _files.Remove(name);
                break;
            case 8:
                Link(name, NewFile());
                break;
            case 9:
                string folder = Path.Combine(_folder, $"folder-{_made++}");
                Directory.CreateDirectory(folder);
                string inside = Path.Combine(folder, "inside");
                Write(inside, FileMode.CreateNew, 500);
                if (_random.Next(2) == 0)
                {
                    File.Delete(inside);
                    Directory.Delete(folder);
                }

                break;
            case 10:
                File.Move(Any(), name, overwrite: true);
                _files.RemoveAll(f => !File.Exists(f));
                break;
            default:
                Remove();
                break;
        }
    }

    /// <summary>Removes a file; now and then one that stays open, so that a crash leaves it without a name.</summary>
    private void Remove()
    {
        string name = Any();
        if (_random.Next(2) == 0)
        {
            _unlinked.Enqueue(new FileStream(name, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete, 0));
            if (_unlinked.Count > MaxOpen)
            {
                _unlinked.Dequeue().Dispose();
            }
        }

        File.Delete(name);
        _files.Remove(name);
    }

    private void Write(string name, FileMode mode, int length)
    {
        using var file = new FileStream(name, mode, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        byte[] bytes = new byte[length];
        _random.NextBytes(bytes);
        for (int i = 0; i + Block <= length && length % 3 == 0; i += Block)
        {
            // Where data goes through a log, that must not take it for its own.
            s_logMagic.CopyTo(bytes, i);
        }

        file.Write(bytes);
        if (_random.Next(3) == 0)
        {
            Sync(file);
        }
    }

    private void Cut(string name)
    {
        using var file = new FileStream(name, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        file.SetLength(_random.Next(80_000));
        if (_random.Next(4) == 0)
        {
            Sync(file);
        }
    }

    private void Punch(string name)
    {
        using var file = new FileStream(name, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        Require(Allocate(file.SafeFileHandle, PunchHole, _random.Next(40_000), _random.Next(1, 40_000)) == 0 || Marshal.GetLastPInvokeError() == NotSupported);
        Sync(file);
    }

    private const int NotSupported = 95;

    private string NewFile()
    {
        string name = Path.Combine(_folder, $"file-{_made++}");
        _files.Add(name);
        return name;
    }

    private string Any() => _files[_random.Next(_files.Count)];

    private static void Link(string name, string link) => Require(MakeLink(name, link) == 0);

    private static void Sync(FileStream file) => Require(SyncFile(file.SafeFileHandle) == 0);

    private static void Require(bool holds)
    {
        if (!holds)
        {
            throw new IOException(Marshal.GetLastPInvokeErrorMessage());
        }
    }

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int SyncFile(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MakeLink(string name, string link);

    [LibraryImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    private static partial int Allocate(SafeFileHandle file, int mode, long offset, long length);
}
