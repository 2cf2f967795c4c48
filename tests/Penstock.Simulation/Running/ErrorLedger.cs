namespace Penstock.Simulation.Running;

/// <summary>
/// Rule 2.16 beside the real thing: writebacks of one file that failed, and who has been told. A sync that begins after a failure that its open
/// file was not told of must fail. Of several syncs of one open file at a time, any may be the one that tells.
/// </summary>
internal sealed class ErrorLedger
{
    private readonly int[] _told = new int[SimulatedFile.HandleCount];
    private readonly int[] _inFlight = new int[SimulatedFile.HandleCount];
    private readonly int[] _begun = new int[SimulatedFile.HandleCount];
    private int _failures;

    public void NoteFailure() => _failures++;

    /// <summary>A sync of an open file begins. Its token is for <see cref="End"/>: the failures so far, or -1 where others are in flight.</summary>
    public int Begin(int handle)
    {
        _begun[handle]++;
        return ++_inFlight[handle] == 1 && _told[handle] < _failures ? _failures : 0;
    }

    /// <summary>The sync has ended: whether it must have told of something. A token of -1 is no sync.</summary>
    public bool End(int handle, int token)
    {
        if (token < 0)
        {
            return false;
        }

        bool mustTell = token > _told[handle] && _begun[handle] == 1;
        if (--_inFlight[handle] == 0)
        {
            _begun[handle] = 0;
        }

        _told[handle] = _failures;
        return mustTell;
    }
}
