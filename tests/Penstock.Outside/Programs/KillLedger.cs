using System.Collections.Concurrent;
using System.Globalization;
using Xunit;

namespace Penstock.Outside.Programs;

/// <summary>What fsync has acknowledged to writers whose mount is killed.</summary>
internal sealed class KillLedger
{
    private readonly ConcurrentDictionary<string, (int Seed, int Length)> _files = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, (int Seed, int Length)> _logs = new(StringComparer.Ordinal);

    /// <summary>The bytes of a file: those of a shorter one begin those of a longer.</summary>
    public static byte[] BytesOf(int seed, int length)
    {
        var bytes = new byte[length];
        uint state = (uint)seed * 2654435761;
        for (int i = 0; i < length; i++)
        {
            state = (state * 1664525) + 1013904223;
            bytes[i] = (byte)(state >> 24);
        }

        return bytes;
    }

    /// <summary>A file was written and synced; it has this name, or this name and ".new".</summary>
    public void NoteFile(string name, int seed, int length) => _files[name] = (seed, length);

    /// <summary>A log is synced up to a length; it may be longer.</summary>
    public void NoteLog(string name, int seed, int length) => _logs[name] = (seed, length);

    /// <summary>A file is about to be removed: nobody can say whether it is there.</summary>
    public void Forget(string name) => _files.TryRemove(name, out _);

    /// <summary>
    /// Everything acknowledged is there, byte for byte. Without a journal a name may be gone whose directory was being changed in more than one block: then
    /// e2fsck has found the file.
    /// </summary>
    public void Judge(string root, bool hasJournal)
    {
        foreach ((string name, (int seed, int length)) in _files)
        {
            string path = File.Exists(Path.Combine(root, name)) ? name : name + ".new";
            byte[] found = Read(root, path, seed, length, hasJournal);
            Assert.True(found.AsSpan().SequenceEqual(BytesOf(seed, length)), $"{name} was synced, but has other bytes");
        }

        foreach ((string name, (int seed, int length)) in _logs)
        {
            byte[] found = Read(root, name, seed, length, hasJournal);
            Assert.True(found.Length >= length, string.Create(CultureInfo.InvariantCulture, $"{name} was synced up to {length}, but has {found.Length} bytes"));
            Assert.True(found.AsSpan(0, length).SequenceEqual(BytesOf(seed, length)), $"{name} was synced, but has other bytes");
        }
    }

    private static byte[] Read(string root, string name, int seed, int length, bool hasJournal)
    {
        string path = Path.Combine(root, name);
        if (File.Exists(path))
        {
            return File.ReadAllBytes(path);
        }

        byte[] wanted = BytesOf(seed, length);
        byte[]? found = hasJournal
            ? null
            : Directory.EnumerateFiles(Path.Combine(root, "lost+found")).Select(File.ReadAllBytes).FirstOrDefault(b => b.AsSpan().StartsWith(wanted));
        return found ?? throw new Xunit.Sdk.XunitException($"{name} was synced, but is not there");
    }
}
