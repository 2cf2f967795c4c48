namespace Penstock.Bench.Comparing;

/// <summary>Whole commands beside those of e2fsprogs, from their start to their end: one operation each.</summary>
internal static class ToolRows
{
    public static IReadOnlyList<Row> All { get; } =
    [
        new("mkfs-tree", "mkfs -d of a tree of 10,000 files", "mke2fs -d", 2)
        {
            Ours = place => MakeAsync(place, $"{Quote(place.Penstock)} mkfs -q -d {Quote(place.Tree)}"),
            Theirs = place => MakeAsync(place, $"mke2fs -q -F -t ext4 -d {Quote(place.Tree)}"),
        },
        new("copy-out", "copying that tree out of an image", "debugfs rdump", 3)
        {
            Ours = place => CopyOutAsync(place, (image, folder) => $"{Quote(place.Penstock)} cp -r {Quote(image)}:/part0 {Quote(image)}:/part1 {Quote(folder)}"),
            Theirs = place => CopyOutAsync(place, (image, folder) => $"debugfs -R 'rdump /part0 /part1 {folder}' {Quote(image)}"),
        },
        new("ls", "ls of an image, process start included", "debugfs -R ls", 1)
        {
            Ours = place => ListAsync(place, image => $"{Quote(place.Penstock)} ls {Quote(image)}:/part0"),
            Theirs = place => ListAsync(place, image => $"debugfs -R 'ls /part0' {Quote(image)}"),
        },
    ];

    private static async Task<Sample> MakeAsync(Place place, string command)
    {
        string image = place.InFolder("made.img");
        File.Delete(image);
        return await Tool.TimeAsync($"{command} {Quote(image)} 512M");
    }

    private static async Task<Sample> CopyOutAsync(Place place, Func<string, string, string> command)
    {
        string folder = place.InFolder("out");
        Directory.CreateDirectory(folder);
        Sample sample = await Tool.TimeAsync(command(await FilledAsync(place), folder));
        Directory.Delete(folder, recursive: true);
        return sample;
    }

    private static async Task<Sample> ListAsync(Place place, Func<string, string> command) => await Tool.TimeAsync(command(await FilledAsync(place)));

    /// <summary>An image with the tree in it, made once.</summary>
    private static async Task<string> FilledAsync(Place place)
    {
        string image = place.InFolder("filled.img");
        if (!File.Exists(image))
        {
            await Tool.RunAsync("mke2fs", "-q", "-F", "-t", "ext4", "-d", place.Tree, image, "512M");
        }

        return image;
    }

    private static string Quote(string text) => $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
