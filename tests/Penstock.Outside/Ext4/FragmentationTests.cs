using System.Globalization;
using System.Text.RegularExpressions;
using Penstock.Ext4;
using Penstock.Ext4.Allocation;
using Penstock.Ext4.Extents;
using Penstock.Ext4.Format;
using Penstock.Mapping;
using Penstock.Testing.Execution;
using Penstock.Testing.Ext4;
using Xunit;

namespace Penstock.Outside.Ext4;

/// <summary>
/// One mixed load (many small files that come and go, logs that grow a little at a time, large files) given to the kernel's ext4 and to our
/// allocator: our files and our free space are in no more pieces.
/// </summary>
public sealed partial class FragmentationTests(ITestOutputHelper output) : IDisposable
{
    private const int BlockSize = 4096;
    private const long VolumeSize = 1L << 30;
    private const int Directories = 8;

    private readonly ScratchFolder _scratch = new();

    private enum Act
    {
        /// <summary>A file of so many blocks, written in one go.</summary>
        Create,

        /// <summary>So many blocks more, on the device at once.</summary>
        AppendDurably,

        /// <summary>So many blocks more, written back later.</summary>
        Append,
        Delete,
        Sync,
    }

    public void Dispose() => _scratch.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Files_and_free_space_are_in_no_more_pieces_than_the_kernels(int seed)
    {
        if (Environment.UserName != "root" || !File.Exists("/dev/loop-control"))
        {
            Assert.Skip("Mounting a volume needs root and a loop device.");
        }

        List<Step> load = MakeLoad(seed);
        Outcome kernel = RunKernel(load);
        Outcome ours = RunOurs(load);
        output.WriteLine($"seed {seed}: kernel {kernel}; ours {ours}");
        Assert.True(ours.SmallPieces <= kernel.SmallPieces * 1.05, $"small files: {ours.SmallPieces} pieces, the kernel's {kernel.SmallPieces}");
        Assert.True(ours.LargePieces <= kernel.LargePieces * 1.05, $"logs and large files: {ours.LargePieces}, the kernel's {kernel.LargePieces}");
        Assert.True(ours.FreePieces <= kernel.FreePieces * 1.1, $"free space: {ours.FreePieces} pieces, the kernel's {kernel.FreePieces}");
    }

    private static List<Step> MakeLoad(int seed)
    {
        const int Logs = 10;
        const int Large = 5;
        var random = new Random(seed);
        var steps = new List<Step>();
        var alive = new List<int>();
        int next = Logs + Large;
        for (int id = 0; id < next; id++)
        {
            steps.Add(new Step(Act.Create, id, 1));
        }

        for (int i = 0; i < 12000; i++)
        {
            switch (random.Next(10))
            {
                case < 5:
                    steps.Add(new Step(Act.Create, next, random.Next(4) == 0 ? random.Next(16, 200) : random.Next(1, 16)));
                    alive.Add(next++);
                    break;
                case < 7 when alive.Count > 20:
                    int victim = random.Next(alive.Count);
                    steps.Add(new Step(Act.Delete, alive[victim], 0));
                    alive.RemoveAt(victim);
                    break;
                case < 9:
                    steps.Add(new Step(Act.AppendDurably, random.Next(Logs), random.Next(1, 4)));
                    break;
                default:
                    steps.Add(new Step(Act.Append, Logs + random.Next(Large), random.Next(16, 100)));
                    break;
            }

            if (i % 100 == 0)
            {
                steps.Add(new Step(Act.Sync, 0, 0));
            }
        }

        return steps;
    }

    private static bool IsLarge(int id) => id < 15;

    private string MakeImage(string name)
    {
        string image = _scratch.MakeImage(name, VolumeSize);
        OutsideProgram.Run("mke2fs", "-q", "-F", "-t", "ext4", "-b", $"{BlockSize}", "-E", "lazy_itable_init=0", image);
        return image;
    }

    private Outcome RunKernel(List<Step> load)
    {
        string image = MakeImage("kernel");
        string mount = _scratch["mount"];
        Directory.CreateDirectory(mount);
        OutsideProgram.Run("mount", "-o", "loop", image, mount);
        int small = 0;
        int large = 0;
        try
        {
            for (int i = 0; i < Directories; i++)
            {
                Directory.CreateDirectory(Path.Combine(mount, $"d{i}"));
            }

            foreach (Step step in load)
            {
                DoInKernel(mount, step);
            }

            OutsideProgram.Run("sync");
            foreach (string file in Directory.GetFiles(mount, "f*", SearchOption.AllDirectories))
            {
                int pieces = int.Parse(PiecesPattern().Match(OutsideProgram.Run("filefrag", file)).Groups[1].Value, CultureInfo.InvariantCulture);
                bool isLarge = IsLarge(int.Parse(Path.GetFileName(file)[1..], CultureInfo.InvariantCulture));
                (small, large) = isLarge ? (small, large + pieces) : (small + pieces, large);
            }
        }
        finally
        {
            OutsideProgram.Run("umount", mount);
        }

        return new Outcome(small, large, FreePieces(image));
    }

    private static void DoInKernel(string mount, Step step)
    {
        string path = Path.Combine(mount, $"d{step.Id % Directories}", $"f{step.Id}");
        switch (step.Act)
        {
            case Act.Delete:
                File.Delete(path);
                break;
            case Act.Sync:
                OutsideProgram.Run("sync");
                break;
            default:
                using (var file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.None, bufferSize: 0))
                {
                    file.Write(new byte[step.Blocks * BlockSize]);
                    if (step.Act == Act.AppendDurably)
                    {
                        file.Flush(flushToDisk: true);
                    }
                }

                break;
        }
    }

    private Outcome RunOurs(List<Step> load)
    {
        string image = MakeImage("ours");
        var scheduler = new ManualScheduler();
        byte[] raw = new byte[Superblock.Size];
        using (FileStream file = File.OpenRead(image))
        {
            file.Position = Superblock.VolumeOffset;
            file.ReadExactly(raw);
        }

        (int small, int large) = scheduler.Run(async () =>
        {
            await using var device = new ImageFileDevice(image, scheduler);
            await using var volume = new TestVolume(device, Superblock.Parse(raw));
            var files = new DelayedFiles(volume);
            await files.MakeDirectoriesAsync(Directories);
            foreach (Step step in load)
            {
                await DoInOursAsync(files, step);
            }

            await files.SyncAsync();
            return await files.CountPiecesAsync(IsLarge);
        });
        return new Outcome(small, large, FreePieces(image));
    }

    private static async Task DoInOursAsync(DelayedFiles files, Step step)
    {
        switch (step.Act)
        {
            case Act.Delete:
                await files.DeleteAsync(step.Id);
                break;
            case Act.Sync:
                await files.SyncAsync();
                break;
            default:
                await files.AppendAsync(step.Id, (ulong)step.Blocks);
                if (step.Act == Act.AppendDurably)
                {
                    await files.WriteBackAsync(step.Id);
                }

                break;
        }
    }

    private static int FreePieces(string image)
    {
        string report = OutsideProgram.Run("e2freefrag", image);
        return int.Parse(FreePattern().Match(report).Groups[1].Value, CultureInfo.InvariantCulture);
    }

    [GeneratedRegex(@"(\d+) extents? found")]
    private static partial Regex PiecesPattern();

    [GeneratedRegex(@"Num\. free extent: (\d+)")]
    private static partial Regex FreePattern();

    private readonly record struct Step(Act Act, int Id, int Blocks);

    private readonly record struct Outcome(int SmallPieces, int LargePieces, int FreePieces);

    /// <summary>Files whose blocks are reserved when they are written and allocated when they are written back, as the page cache does it.</summary>
    private sealed class DelayedFiles(TestVolume volume)
    {
        private readonly Dictionary<int, (TestMapOwner Owner, ExtentMapper Mapper)> _files = [];
        private readonly Dictionary<int, ulong> _dirty = [];
        private readonly List<InodeNumber> _directories = [];

        public async Task MakeDirectoriesAsync(int count)
        {
            for (int i = 0; i < count; i++)
            {
                _directories.Add(await TakeInodeAsync(new InodeNumber(2), isDirectory: true));
            }
        }

        public async Task AppendAsync(int id, ulong blocks)
        {
            if (!_files.TryGetValue(id, out var file))
            {
                InodeNumber number = await TakeInodeAsync(_directories[id % _directories.Count], isDirectory: false);
                var owner = new TestMapOwner(volume.Volume, number.Value);
                _files[id] = file = (owner, new ExtentMapper(volume.Volume, owner));
            }

            Assert.Equal(IoFault.None, file.Mapper.TryReserve(blocks));
            _dirty[id] = _dirty.GetValueOrDefault(id) + blocks;
            file.Owner.Size += (long)blocks * BlockSize;
        }

        public async Task WriteBackAsync(int id)
        {
            if (!_dirty.Remove(id, out ulong left))
            {
                return;
            }

            (TestMapOwner owner, ExtentMapper mapper) = _files[id];
            ulong next = ((ulong)owner.Size / BlockSize) - left;
            while (left > 0)
            {
                BlockRun run = await volume.ChangeAsync(
                    mapper.CreditsToAllocate(left), handle => mapper.AllocateAsync(handle, new FileBlock(next), left, MapState.Mapped, fromReservation: true));
                next += run.Count;
                left -= run.Count;
            }
        }

        public async Task DeleteAsync(int id)
        {
            _files.Remove(id, out var file);
            if (_dirty.Remove(id, out ulong reserved))
            {
                file.Mapper.CancelReservation(reserved);
            }

            file.Mapper.ReleaseWindow();
            await file.Mapper.RemoveAsync(default, uint.MaxValue);
            await volume.ChangeAsync(InodeAllocator.CreditsToFree, handle => volume.Volume.Inodes.FreeAsync(handle, file.Owner.Number, false));
        }

        public async Task SyncAsync()
        {
            foreach (int id in _dirty.Keys.Order().ToList())
            {
                await WriteBackAsync(id);
            }

            await volume.CommitAsync();
        }

        public async Task<(int Small, int Large)> CountPiecesAsync(Func<int, bool> isLarge)
        {
            int small = 0;
            int large = 0;
            foreach ((int id, (TestMapOwner owner, ExtentMapper mapper)) in _files)
            {
                int pieces = await CountAsync(mapper, (ulong)owner.Size / BlockSize);
                (small, large) = isLarge(id) ? (small, large + pieces) : (small + pieces, large);
            }

            return (small, large);
        }

        private static async Task<int> CountAsync(ExtentMapper mapper, ulong blocks)
        {
            int pieces = 0;
            VolumeBlock expected = default;
            for (ulong next = 0; next < blocks;)
            {
                BlockRun run = await mapper.MapAsync(new FileBlock(next), blocks - next);
                pieces += run.Volume == expected ? 0 : 1;
                expected = run.Volume + run.Count;
                next += run.Count;
            }

            return pieces;
        }

        private async Task<InodeNumber> TakeInodeAsync(InodeNumber parent, bool isDirectory)
        {
            AllocatedInode made = await volume.ChangeAsync(
                InodeAllocator.CreditsToAllocate, handle => volume.Volume.Inodes.AllocateAsync(handle, parent, isDirectory));
            return made.Number;
        }
    }
}
