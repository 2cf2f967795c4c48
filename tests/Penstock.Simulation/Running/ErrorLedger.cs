namespace Penstock.Simulation.Running;

/// <summary>
/// Rule 2.16 beside the real thing: writebacks of one file that failed, and who has been told. A sync that begins after a failure that its open
/// file was not told of must fail; one that saw none must not.
/// </summary>
internal sealed class ErrorLedger
{
    private readonly int[] _told = new int[SimulatedFile.HandleCount];

    /// <summary>How many writebacks failed so far.</summary>
    public int Failures { get; private set; }

    public void NoteFailure() => Failures++;

    /// <summary>A sync of an open file begins: whether it must tell of something.</summary>
    public bool MustTell(int handle) => _told[handle] < Failures;

    /// <summary>A sync has told of everything that had failed when it ended.</summary>
    public void Told(int handle) => _told[handle] = Failures;
}
