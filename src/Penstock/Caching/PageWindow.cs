using System.Runtime.CompilerServices;
using System.Threading;

namespace Penstock.Caching;

/// <summary>
/// Where the content of 64 consecutive pages of a file is, for readers that take no latch and no pin: they copy first and look afterwards whether a page
/// of the window was taken away meanwhile. Everything but <see cref="TryCopy"/> is called under the latch of the file.
/// </summary>
/// <remarks>
/// <para>Invariants: (1) an address is here only while its page is in the tree, up to date, and no readahead marker; (2) the version moves each time a page or
/// the window itself changes hands, after that is to be seen here and before anybody else gets the memory: whoever gets it has been through an atomic
/// operation of the arena; (3) the memory of pages stays mapped as long as the cache lives, so a copy that comes too late reads what it throws away, and no more.</para>
/// <para>A write into a page is no change of hands: reads and writes of the same bytes at once have no order.</para>
/// </remarks>
internal sealed unsafe class PageWindow
{
    /// <summary>The pages of a window, a power of two: those of a leaf of <see cref="PageTree"/>.</summary>
    public const int Length = 64;

    private Addresses _addresses;
    private long _used;
    private long _first;
    private PageTree? _owner;
    private int _version;

    /// <summary>Any thread: copies bytes of a page, beginning <paramref name="within"/> bytes into it; false where the page must be asked for under the latch.</summary>
    public bool TryCopy(PageTree owner, long index, int within, Span<byte> destination)
    {
        int version = Volatile.Read(ref _version);
        int slot = SlotOf(index);
        long address = Volatile.Read(ref _addresses[slot]);
        if (address == 0 || !ReferenceEquals(_owner, owner) || _first != index - slot)
        {
            return false;
        }

        new ReadOnlySpan<byte>((void*)(address + within), destination.Length).CopyTo(destination);
        Volatile.ReadBarrier();
        if (Volatile.Read(ref _version) != version)
        {
            // What was copied may be another file's: nobody gets to see it, not even after a failure.
            destination.Clear();
            return false;
        }

        long bit = 1L << slot;
        if ((_used & bit) == 0)
        {
            // A lost update costs a little age.
            _used |= bit;
        }

        return true;
    }

    /// <summary>The window, which is empty, serves pages from <paramref name="first"/> on from now on.</summary>
    public void Claim(PageTree owner, long first)
    {
        _first = first;
        _owner = owner;
        _used = 0;
        MoveVersion();
    }

    /// <summary>The window is empty and serves nobody.</summary>
    public void LetGo() => _owner = null;

    /// <summary>The page may be read from now on.</summary>
    public void Publish(long index, nint address) => Volatile.Write(ref _addresses[SlotOf(index)], address);

    /// <summary>The page is taken away.</summary>
    public void Withdraw(long index)
    {
        Volatile.Write(ref _addresses[SlotOf(index)], 0);
        MoveVersion();
    }

    /// <summary>Whether the page was read here since it was last asked.</summary>
    public bool TakeUse(long index)
    {
        long bit = 1L << SlotOf(index);
        bool wasUsed = (_used & bit) != 0;
        _used &= ~bit;
        return wasUsed;
    }

    private static int SlotOf(long index) => (int)index & (Length - 1);

    private void MoveVersion() => Volatile.Write(ref _version, _version + 1);

    [InlineArray(Length)]
    private struct Addresses
    {
        private long _first;
    }
}
