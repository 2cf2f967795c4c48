namespace Penstock.Bench.Comparing;

/// <summary>A source tree through a mount, by the programs that people use: tar, git, rm. Each time on a new volume, made by mke2fs for both.</summary>
internal static class MountTreeRows
{
    private const string Tree = "tree of 10,000 files";

    public static IReadOnlyList<Contest> All { get; } =
    [
        new Contest(
            new Row("mount-untar", $"mount: tar x of a {Tree}", "fuse2fs", 3),
            new Row("mount-status", "mount: git status of it, first", "fuse2fs", 3),
            new Row("mount-remove", "mount: rm -r of it", "fuse2fs", 3))
        {
            Ours = place => RunAsync(place, ServedMount.PenstockAsync),
            Theirs = place => RunAsync(place, ServedMount.Fuse2fsAsync),
            NeedsRoot = true,
        },
    ];

    private static async Task<Sample[]> RunAsync(Place place, Func<Place, string, Task<ServedMount>> mountAsync)
    {
        string image = place.InFolder("tree.img");
        string archive = await ArchiveAsync(place);
        File.Delete(image);
        await Tool.RunAsync("mke2fs", "-q", "-F", "-t", "ext4", image, "1G");
        await using ServedMount mount = await mountAsync(place, image);
        string repository = Path.Combine(mount.Folder, "tree");
        return
        [
            await TimeAsync(mount, $"tar -xf '{archive}' -C '{mount.Folder}'"),
            await TimeAsync(mount, $"git -c safe.directory='*' -C '{repository}' status"),
            await TimeAsync(mount, $"rm -r '{repository}'"),
        ];
    }

    private static async Task<Sample> TimeAsync(ServedMount mount, string command)
    {
        TimeSpan before = mount.ProcessorTime;
        Sample sample = await Tool.TimeAsync(command);
        return sample with { ProcessorMicroseconds = sample.ProcessorMicroseconds + (mount.ProcessorTime - before).TotalMicroseconds };
    }

    /// <summary>The tree as a repository, with one commit, in an archive; made once.</summary>
    private static async Task<string> ArchiveAsync(Place place)
    {
        string archive = place.InFolder("tree.tar");
        if (!File.Exists(archive))
        {
            string repository = place.InFolder("repository");
            string git = $"git -C '{repository}' -c user.name=bench -c user.email=bench@localhost";
            await Tool.RunAsync("/bin/bash", "-c", $"cp -r '{place.Tree}' '{repository}' && {git} init -q && {git} add . && {git} commit -q -m all && {git} gc -q");
            await Tool.RunAsync("tar", "-cf", archive, "-C", repository, "--transform", "s,^\\.,tree,", ".");
            Directory.Delete(repository, recursive: true);
        }

        return archive;
    }
}
