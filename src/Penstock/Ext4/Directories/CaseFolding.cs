using System.Text;

namespace Penstock.Ext4.Directories;

/// <summary>
/// Whether two names are one in a casefold directory. Upper and lower case of single letters count as the same; the full folding and
/// normalisation of Unicode are not done, so a look-up may miss a name that differs more than that. Such directories are only read.
/// </summary>
internal static class CaseFolding
{
    public static bool IsSame(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        while (!a.IsEmpty && !b.IsEmpty)
        {
            if (Rune.DecodeFromUtf8(a, out Rune left, out int leftLength) != System.Buffers.OperationStatus.Done
                || Rune.DecodeFromUtf8(b, out Rune right, out int rightLength) != System.Buffers.OperationStatus.Done
                || (left != right && Rune.ToUpperInvariant(left) != Rune.ToUpperInvariant(right)))
            {
                return false;
            }

            a = a[leftLength..];
            b = b[rightLength..];
        }

        return a.IsEmpty && b.IsEmpty;
    }
}
