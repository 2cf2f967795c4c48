using System.Diagnostics;

namespace Penstock.Cli.Output;

/// <summary>A line that tells a person how far a long command has come: from the first second on, and only if somebody looks. Any thread.</summary>
internal sealed class Progress : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(200);

    private readonly Terminal _terminal;
    private readonly string _verb;
    private readonly object _latch = new();
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private TimeSpan _next = s_patience;
    private long _files;
    private long _bytes;
    private int _width;

    public Progress(Terminal terminal, string verb)
    {
        _terminal = terminal;
        _verb = verb;
    }

    public long Files => _files;

    public long Bytes => _bytes;

    public void AddFile()
    {
        lock (_latch)
        {
            _files++;
            Show();
        }
    }

    public void AddBytes(long bytes)
    {
        lock (_latch)
        {
            _bytes += bytes;
            Show();
        }
    }

    /// <summary>Takes the line away.</summary>
    public void Dispose()
    {
        if (_width > 0)
        {
            _terminal.Error.Write($"\r{new string(' ', _width)}\r");
            _width = 0;
        }
    }

    private void Show()
    {
        TimeSpan now = _clock.Elapsed;
        if (!_terminal.IsWatched || now < _next)
        {
            return;
        }

        _next = now + s_interval;
        string rate = ByteCount.Describe((long)(_bytes / now.TotalSeconds));
        string line = $"{_verb} {_files} files, {ByteCount.Describe(_bytes)} ({rate}/s)";
        _terminal.Error.Write($"\r{line.PadRight(_width)}");
        _width = line.Length;
    }
}
