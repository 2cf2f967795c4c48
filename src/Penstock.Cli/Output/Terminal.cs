using System.Text;
using Penstock.Cli.Host;

namespace Penstock.Cli.Output;

/// <summary>Where a command reads from and writes to. Tests bring their own.</summary>
internal sealed class Terminal : IDisposable
{
    public required TextWriter Out { get; init; }

    public required TextWriter Error { get; init; }

    /// <summary>Standard output as bytes, for file contents. What was written as text comes out before.</summary>
    public required Stream Bytes { get; init; }

    /// <summary>Standard input as bytes.</summary>
    public required Stream Input { get; init; }

    /// <summary>Whether a person looks at standard error.</summary>
    public bool IsWatched { get; init; }

    /// <summary>The file that the command is at, as its user named it: the "where" of a failure that does not know it.</summary>
    public string? Subject { get; set; }

    /// <summary>The device with the journal of the volume that is named, if it has one of its own (<c>--journal</c>).</summary>
    public string? JournalDevice { get; set; }

    /// <summary>Cancelled by SIGINT and SIGTERM.</summary>
    public CancellationToken Interrupted { get; init; }

    public static Terminal OfProcess()
    {
        var output = new StandardStream(1);
        return new Terminal
        {
            Out = new StreamWriter(output, new UTF8Encoding(false), 16 << 10, leaveOpen: true),
            Error = new StreamWriter(new StandardStream(2), new UTF8Encoding(false), 1024) { AutoFlush = true },
            Bytes = output,
            Input = new StandardStream(0),
            IsWatched = StandardStream.IsTerminal(2),
            Interrupted = Signals.Interruption(),
        };
    }

    public void Dispose()
    {
        try
        {
            Out.Flush();
        }
        catch (IOException)
        {
            // Only after a failure is anything left to flush; that failure has been told.
        }
    }
}
