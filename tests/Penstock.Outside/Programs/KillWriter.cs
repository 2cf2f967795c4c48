using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Penstock.Outside.Programs;

/// <summary>One writer on a mount that will be killed: files that are synced and renamed, a log that is appended to and synced, removals.</summary>
internal sealed partial class KillWriter(string root, KillLedger ledger, int round, int number, CountdownEvent acknowledged)
{
    private readonly Random _random = new((round * 97) + number);
    private readonly Queue<string> _made = new();

    /// <summary>Runs until the mount fails, which it does when it is killed.</summary>
    public void Run()
    {
        try
        {
            string log = string.Create(CultureInfo.InvariantCulture, $"log-{round}-{number}");
            using FileStream appended = Open(Path.Combine(root, log));
            for (int i = 0; ; i++)
            {
                Append(appended, log);
                WriteFile(string.Create(CultureInfo.InvariantCulture, $"file-{round}-{number}-{i}"), (round * 1000) + i);
                if (_made.Count > 6)
                {
                    string old = _made.Dequeue();
                    ledger.Forget(old);
                    File.Delete(Path.Combine(root, old));
                }
            }
        }
        catch (IOException)
        {
            // The mount is gone.
        }
        catch (UnauthorizedAccessException)
        {
            // The same, as a call on a name tells it.
        }
    }

    /// <summary>fsync itself: what the stream makes of it takes some errors for success, that of a mount that dies among them.</summary>
    private static void Sync(FileStream file)
    {
        if (SyncFile(file.SafeFileHandle) != 0)
        {
            throw new IOException($"fsync failed: {Marshal.GetLastPInvokeErrorMessage()}");
        }
    }

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int SyncFile(SafeFileHandle file);

    private static FileStream Open(string path) => new(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read, bufferSize: 0);

    private void Append(FileStream appended, string log)
    {
        int start = (int)appended.Length;
        int length = _random.Next(1, 3000);
        appended.Write(KillLedger.BytesOf(number, start + length).AsSpan(start));
        Sync(appended);
        ledger.NoteLog(log, number, start + length);
        Acknowledge();
    }

    private void WriteFile(string name, int seed)
    {
        string path = Path.Combine(root, name);
        int length = _random.Next(1, 60_000);
        using (FileStream file = Open(path + ".new"))
        {
            file.Write(KillLedger.BytesOf(seed, length));
            Sync(file);
        }

        ledger.NoteFile(name, seed, length);
        Acknowledge();
        File.Move(path + ".new", path);
        _made.Enqueue(name);
    }

    private void Acknowledge()
    {
        if (!acknowledged.IsSet)
        {
            try
            {
                acknowledged.Signal();
            }
            catch (InvalidOperationException)
            {
                // Another writer was faster with the last one.
            }
        }
    }
}
