using Xunit;

namespace Penstock.Tests.Ext4.Format;

/// <summary>Checks that setting a field changes exactly the bytes the format gives it, and that reading them gives the value back.</summary>
internal static class FieldLayout
{
    /// <param name="size">Bytes of the structure.</param>
    /// <param name="offset">Where the field must lie.</param>
    /// <param name="length">How many bytes it must take.</param>
    /// <param name="set">Given bytes, writes a value of all ones into the field.</param>
    public static void AssertOnly(int size, int offset, int length, Action<byte[]> set)
    {
        byte[] raw = new byte[size];
        set(raw);
        for (int i = 0; i < size; i++)
        {
            bool isInside = i >= offset && i < offset + length;
            Assert.True(raw[i] == (isInside ? 0xFF : 0), $"byte 0x{i:X} is 0x{raw[i]:X2}; the field is 0x{offset:X}+{length}");
        }
    }
}
