namespace Penstock.Simulation.Judging;

/// <summary>
/// Where a copy of a range takes its bytes from: anything that a read of the source could have seen meanwhile. The two files have clocks of their own.
/// </summary>
/// <param name="source">The judge of the file that is copied from.</param>
/// <param name="ticket">The read that the copy is, of that file.</param>
internal sealed class CopySource(FileJudge source, ReadTicket ticket)
{
    private ByteHistories? _kept;
    private long _ended = long.MaxValue;
    private bool _isAnybodys;
    private bool _isMatching;

    public ReadTicket Ticket => ticket;

    /// <summary>The copy has ended: what can be seen later is not what it took.</summary>
    public void Keep(ByteHistories histories, long ended, bool isAnybodys) => (_kept, _ended, _isAnybodys) = (histories, ended, isAnybodys);

    /// <summary>How many bytes can be those of the copy from its byte <paramref name="start"/> on.</summary>
    public int Match(ReadOnlySpan<byte> bytes, long start)
    {
        if (_isAnybodys)
        {
            // Beside appends whose places nobody knows.
            return bytes.Length;
        }

        if (_isMatching || start < 0)
        {
            // Two copies that take from each other: what goes round came from somewhere else.
            return 0;
        }

        _isMatching = true;
        Mismatch? mismatch = (_kept ?? source.Bytes).Judge(bytes, ticket.Offset + start, ticket.Begun, _ended);
        _isMatching = false;
        return mismatch is null ? bytes.Length : (int)(mismatch.Offset - ticket.Offset - start);
    }
}
