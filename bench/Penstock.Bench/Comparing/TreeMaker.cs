namespace Penstock.Bench.Comparing;

/// <summary>A folder like a source tree: many small files of different sizes in nested folders. The same each time.</summary>
internal static class TreeMaker
{
    /// <summary>Folders at the top.</summary>
    public const int Parts = 10;

    private const int Folders = 200;
    private const int FilesInEach = 50;

    public static async Task MakeAsync(string root)
    {
        if (Directory.Exists(root))
        {
            return;
        }

        var random = new Random(7);
        var bytes = new byte[64 << 10];
        random.NextBytes(bytes);
        for (int folder = 0; folder < Folders; folder++)
        {
            string path = Path.Combine(root, $"part{folder / (Folders / Parts)}", $"module{folder}");
            Directory.CreateDirectory(path);
            for (int file = 0; file < FilesInEach; file++)
            {
                int length = (int)Math.Exp(random.NextDouble() * Math.Log(bytes.Length));
                await File.WriteAllBytesAsync(Path.Combine(path, $"source{file}.txt"), bytes[..length]);
            }
        }
    }
}
