namespace Penstock.Cli.Output;

/// <summary>One line on standard error that is written over and over while something runs; nothing where nobody looks.</summary>
internal sealed class LiveLine(Terminal terminal) : IDisposable
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(200);

    private int _width;

    /// <summary>Shows what <paramref name="describe"/> says until <paramref name="work"/> ends.</summary>
    public async Task<T> WhileAsync<T>(Task<T> work, Func<string> describe)
    {
        while (terminal.IsWatched && await Task.WhenAny(work, Task.Delay(s_interval)) != work)
        {
            string line = describe();
            terminal.Error.Write($"\r{line.PadRight(_width)}");
            _width = line.Length;
        }

        Dispose();
        return await work;
    }

    /// <summary>Takes the line away.</summary>
    public void Dispose()
    {
        if (_width > 0)
        {
            terminal.Error.Write($"\r{new string(' ', _width)}\r");
            _width = 0;
        }
    }
}
