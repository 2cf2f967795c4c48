using System.Globalization;
using System.Text;

namespace Penstock.Simulation.Scenarios;

/// <summary>What an operation does.</summary>
internal enum OperationKind : byte
{
    Read,
    Write,

    /// <summary>Cuts or extends the file to <see cref="Operation.Offset"/>.</summary>
    SetSize,
    Allocate,
    AllocateKeepingSize,
    Punch,
    Zero,
    ZeroKeepingSize,
    Collapse,
    Insert,
    Sync,
    SyncData,

    /// <summary>Drops the file's clean pages.</summary>
    DropCache,

    /// <summary>Starts background writeback.</summary>
    KickWriteback,

    /// <summary>Sets the options of requests that name none.</summary>
    SetOptions,

    /// <summary>Writes back everything that is dirty, and waits: syncfs.</summary>
    SyncVolume,

    /// <summary>Copies a range to <see cref="Operation.ToFile"/>, without the user's memory.</summary>
    Copy,
}

/// <summary>
/// One operation of a run. All of them are drawn before the run begins, so that any may be left out and the others stay what they are: that is
/// how a failing run is shrunk.
/// </summary>
internal sealed record Operation
{
    /// <summary>1 for the first one drawn. A write's bytes carry it.</summary>
    public int Id { get; init; }

    /// <summary>Who does it: a client does one thing after the other, except for what is asynchronous.</summary>
    public int Client { get; init; }

    public OperationKind Kind { get; init; }

    public int File { get; init; }

    /// <summary>Through which of the open files.</summary>
    public int Handle { get; init; }

    public long Offset { get; init; }

    public int Length { get; init; }

    /// <summary>The file that a range is copied to, and where.</summary>
    public int ToFile { get; init; }

    /// <inheritdoc cref="ToFile"/>
    public long ToOffset { get; init; }

    public IoOptions Options { get; init; }

    /// <summary>The options are those that the open file has at that moment.</summary>
    public bool TakesFileOptions { get; init; }

    /// <summary>The client goes on before it is done.</summary>
    public bool IsAsync { get; init; }

    /// <summary>In how many pieces the memory comes.</summary>
    public int Segments { get; init; } = 1;

    /// <summary>As a memory map would: whole pages, in memory that is the core's own.</summary>
    public bool IsMapped { get; init; }

    /// <summary>The caller gives up waiting; the device does not.</summary>
    public bool IsCancelled { get; init; }

    /// <summary>The device holds its requests back until nothing else can go on.</summary>
    public bool IsHeld { get; init; }

    /// <summary>It must finish while the device holds others back.</summary>
    public bool MustPassHeld { get; init; }

    /// <summary>Memory or range are not aligned: it must be refused before anything.</summary>
    public bool IsMisaligned { get; init; }

    /// <summary>Before it, the client waits for its own asynchronous operations.</summary>
    public bool Joins { get; init; }

    public bool IsDirect => (Options & IoOptions.Direct) != 0;

    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"#{Id} client {Client}: ");
        string how = TakesFileOptions ? "as the file says, " : Options == IoOptions.None ? "" : $"{Options}, ";
        text.Append(IsAsync ? "async " : "").Append(IsMapped ? "mapped " : "");
        text.Append(Kind switch
        {
            OperationKind.Read => string.Create(CultureInfo.InvariantCulture, $"read [{how}file {File}, {Offset}+{Length}]"),
            OperationKind.Write when (Options & IoOptions.Append) != 0 =>
                string.Create(CultureInfo.InvariantCulture, $"append [{how}file {File}, {Length} bytes]"),
            OperationKind.Write => string.Create(CultureInfo.InvariantCulture, $"write [{how}file {File}, {Offset}+{Length}]"),
            OperationKind.SetSize => string.Create(CultureInfo.InvariantCulture, $"set size [file {File}, {Offset}]"),
            OperationKind.Sync or OperationKind.SyncData or OperationKind.DropCache =>
                string.Create(CultureInfo.InvariantCulture, $"{Kind} [file {File}, handle {Handle}]"),
            OperationKind.SetOptions => string.Create(CultureInfo.InvariantCulture, $"options of file {File} := {Options}"),
            OperationKind.Copy =>
                string.Create(CultureInfo.InvariantCulture, $"copy [file {File}, {Offset}+{Length} to file {ToFile}, {ToOffset}]"),
            OperationKind.KickWriteback or OperationKind.SyncVolume => Kind.ToString(),
            _ => string.Create(CultureInfo.InvariantCulture, $"{Kind} [file {File}, {Offset}+{Length}]"),
        });
        text.Append(Segments > 1 ? string.Create(CultureInfo.InvariantCulture, $" in {Segments} pieces") : "");
        text.Append(IsCancelled ? ", cancelled" : "").Append(IsHeld ? ", held" : "").Append(IsMisaligned ? ", misaligned" : "");
        return text.ToString();
    }
}
