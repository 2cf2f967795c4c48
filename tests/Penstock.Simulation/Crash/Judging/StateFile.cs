using Penstock.Simulation.Devices;

namespace Penstock.Simulation.Crash.Judging;

/// <summary>A crash state as a file, for other programs.</summary>
internal static class StateFile
{
    private const int Piece = 64 * 1024;
    private const int Page = 4096;

    public static void Write(string path, ChunkMemory content, long length)
    {
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        var piece = new byte[Piece];
        for (long at = 0; at < length; at += piece.Length)
        {
            content.Read(at, piece);
            file.Write(piece);
        }
    }

    /// <summary>Brings a file back: only what differs is written.</summary>
    public static void Read(string path, ChunkMemory content, long length)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.None, bufferSize: 0);
        var piece = new byte[Piece];
        var had = new byte[Piece];
        for (long at = 0; at < length; at += piece.Length)
        {
            file.ReadExactly(piece);
            content.Read(at, had);
            for (int i = 0; i < Piece; i += Page)
            {
                if (!piece.AsSpan(i, Page).SequenceEqual(had.AsSpan(i, Page)))
                {
                    content.Write(at + i, piece.AsSpan(i, Page));
                }
            }
        }
    }
}
