namespace Penstock.Bench.Comparing;

/// <summary>Whole commands beside those of e2fsprogs, from their start to their end: one operation each.</summary>
internal static class ToolRows
{
    public static IReadOnlyList<Contest> All { get; } =
    [
        Contest.Of(
            new Row("mkfs-tree", "mkfs -d of a tree of 10,000 files", "mke2fs -d", 2),
            place => MakeAsync(place, $"{Quote(place.Penstock)} mkfs -q -d {Quote(place.Tree)}"),
            place => MakeAsync(place, $"mke2fs -q -F -t ext4 -d {Quote(place.Tree)}")),
        Contest.Of(
            new Row("copy-out", "copying that tree out of an image", "debugfs rdump", 3),
            place => CopyOutAsync(place, (image, folder) =>
                $"{Quote(place.Penstock)} cp -r {Parts(i => $"{Quote(image)}:/part{i}")} {Quote(folder)}"),
            place => CopyOutAsync(place, (image, folder) => $"debugfs -R 'rdump {Parts(i => $"/part{i}")} {folder}' {Quote(image)}")),
        Contest.Of(
            new Row("ls", "ls of an image, process start included, as ./penstock runs it", "debugfs -R ls", 0),
            place => ListAsync(place, image => $"{Quote(place.Penstock)} ls {Quote(image)}:/part0"),
            place => ListAsync(place, image => $"debugfs -R 'ls /part0' {Quote(image)}")),
        Contest.Of(
            new Row("ls-native", "ls of an image, process start included, native build", "debugfs -R ls", 1),
            place => ListNativeAsync(place),
            place => ListAsync(place, image => $"debugfs -R 'ls /part0' {Quote(image)}")),
        Contest.Of(
            new Row("check", "check of that volume, process start included", "e2fsck -fn", 0),
            place => ListAsync(place, image => $"{Quote(place.Penstock)} check {Quote(image)}"),
            place => ListAsync(place, image => $"e2fsck -fn {Quote(image)} 2>/dev/null")),
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

    private static async Task<Sample> ListNativeAsync(Place place)
    {
        string program = await NativeBuild.PathAsync(place);
        return await ListAsync(place, image => $"{Quote(program)} ls {Quote(image)}:/part0");
    }

    /// <summary>All folders at the top of the tree.</summary>
    private static string Parts(Func<int, string> name) => string.Join(' ', Enumerable.Range(0, TreeMaker.Parts).Select(name));

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
