using System.Buffers.Binary;
using System.Numerics;

namespace Penstock.Ext4.Format;

/// <summary>
/// The hashes of names in hashed directories. Each has a variant for names as signed bytes, because the first volumes were made where
/// a char is signed; the superblock's s_flags say which.
/// </summary>
/// <param name="Major">The hash the index is ordered by; its lowest bit is always 0.</param>
/// <param name="Minor">More bits of the same hash, for the order of names within a block's range.</param>
internal readonly record struct DirectoryHash(uint Major, uint Minor)
{
    // The largest hash stands for "past the end" in directory positions, so no name may have it.
    private const uint EndOfDirectory = 0x7FFFFFFF;

    private static readonly uint[] DefaultSeed = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476];

    /// <summary>The version to compute, from what the index root says and whether the volume hashes signed bytes.</summary>
    public static DirectoryHashVersion Resolve(DirectoryHashVersion stored, VolumeFlags flags)
    {
        bool isUnsigned = (flags & VolumeFlags.UnsignedDirectoryHash) != 0;
        return isUnsigned && stored <= DirectoryHashVersion.Tea ? stored + 3 : stored;
    }

    /// <summary>Hashes a name.</summary>
    /// <param name="name">The name's bytes.</param>
    /// <param name="version">One of the first six versions.</param>
    /// <param name="seed">s_hash_seed; all zero stands for the built-in one.</param>
    /// <exception cref="UnsupportedFeatureException">The version is siphash, which needs the directory's key.</exception>
    public static DirectoryHash Compute(ReadOnlySpan<byte> name, DirectoryHashVersion version, Guid seed)
    {
        (uint major, uint minor) = version switch
        {
            DirectoryHashVersion.Legacy => (Legacy(name, isSigned: true), 0u),
            DirectoryHashVersion.LegacyUnsigned => (Legacy(name, isSigned: false), 0u),
            DirectoryHashVersion.HalfMd4 => HalfMd4(name, seed, isSigned: true),
            DirectoryHashVersion.HalfMd4Unsigned => HalfMd4(name, seed, isSigned: false),
            DirectoryHashVersion.Tea => Tea(name, seed, isSigned: true),
            DirectoryHashVersion.TeaUnsigned => Tea(name, seed, isSigned: false),
            _ => throw new UnsupportedFeatureException(["encrypt", "casefold"], "names in this directory cannot be hashed without its key"),
        };
        major &= ~1u;
        return new DirectoryHash(major == EndOfDirectory << 1 ? (EndOfDirectory - 1) << 1 : major, minor);
    }

    private static uint Legacy(ReadOnlySpan<byte> name, bool isSigned)
    {
        uint hash = 0x12A3FE2D;
        uint before = 0x37ABE8F9;
        foreach (byte next in name)
        {
            uint mixed = before + (hash ^ (Char(next, isSigned) * 7152373u));
            if ((mixed & 0x80000000) != 0)
            {
                mixed -= 0x7FFFFFFF;
            }

            (before, hash) = (hash, mixed);
        }

        return hash << 1;
    }

    private static (uint Major, uint Minor) HalfMd4(ReadOnlySpan<byte> name, Guid seed, bool isSigned)
    {
        Span<uint> state = stackalloc uint[4];
        Span<uint> words = stackalloc uint[8];
        Start(state, seed);
        do
        {
            Pack(name, words, isSigned);
            MixHalfMd4(state, words);
            name = name.Length > 32 ? name[32..] : default;
        }
        while (name.Length > 0);
        return (state[1], state[2]);
    }

    private static (uint Major, uint Minor) Tea(ReadOnlySpan<byte> name, Guid seed, bool isSigned)
    {
        Span<uint> state = stackalloc uint[4];
        Span<uint> words = stackalloc uint[4];
        Start(state, seed);
        do
        {
            Pack(name, words, isSigned);
            MixTea(state, words);
            name = name.Length > 16 ? name[16..] : default;
        }
        while (name.Length > 0);
        return (state[0], state[1]);
    }

    private static void Start(Span<uint> state, Guid seed)
    {
        DefaultSeed.CopyTo(state);
        if (seed == Guid.Empty)
        {
            return;
        }

        Span<byte> bytes = stackalloc byte[16];
        seed.TryWriteBytes(bytes, bigEndian: true, out _);
        for (int i = 0; i < state.Length; i++)
        {
            state[i] = BinaryPrimitives.ReadUInt32LittleEndian(bytes[(i * 4)..]);
        }
    }

    // Four characters a word, the first one highest; what is missing is filled with the length that was left, in every byte.
    private static void Pack(ReadOnlySpan<byte> name, Span<uint> words, bool isSigned)
    {
        uint padding = (uint)name.Length * 0x01010101;
        words.Fill(padding);
        int count = Math.Min(name.Length, words.Length * 4);
        for (int i = 0; i < count; i++)
        {
            words[i / 4] = Char(name[i], isSigned) + (words[i / 4] << 8);
        }
    }

    private static uint Char(byte value, bool isSigned) => isSigned ? (uint)(sbyte)value : value;

    private static void MixHalfMd4(Span<uint> state, ReadOnlySpan<uint> x)
    {
        const uint SecondRound = 0x5A827999;
        const uint ThirdRound = 0x6ED9EBA1;
        ReadOnlySpan<byte> order = [0, 1, 2, 3, 4, 5, 6, 7, 1, 3, 5, 7, 0, 2, 4, 6, 3, 7, 2, 6, 1, 5, 0, 4];
        ReadOnlySpan<byte> turns = [3, 7, 11, 19, 3, 5, 9, 13, 3, 9, 11, 15];
        (uint a, uint b, uint c, uint d) = (state[0], state[1], state[2], state[3]);
        for (int step = 0; step < order.Length; step++)
        {
            int round = step / 8;
            uint mixed = round switch
            {
                0 => d ^ (b & (c ^ d)),
                1 => ((b & c) + ((b ^ c) & d)) + SecondRound,
                _ => (b ^ c ^ d) + ThirdRound,
            };
            uint turned = BitOperations.RotateLeft(a + mixed + x[order[step]], turns[(round * 4) + (step % 4)]);
            (a, b, c, d) = (d, turned, b, c);
        }

        state[0] += a;
        state[1] += b;
        state[2] += c;
        state[3] += d;
    }

    private static void MixTea(Span<uint> state, ReadOnlySpan<uint> key)
    {
        const uint Delta = 0x9E3779B9;
        const int Rounds = 16;
        (uint left, uint right) = (state[0], state[1]);
        uint sum = 0;
        for (int round = 0; round < Rounds; round++)
        {
            sum += Delta;
            left += ((right << 4) + key[0]) ^ (right + sum) ^ ((right >> 5) + key[1]);
            right += ((left << 4) + key[2]) ^ (left + sum) ^ ((left >> 5) + key[3]);
        }

        state[0] += left;
        state[1] += right;
    }
}
