using Penstock.Ext4;
using Penstock.Files;
using Penstock.Testing.Ext4;
using Xunit;
using static Penstock.Tests.Ext4.NamesFixture;

namespace Penstock.Tests.Ext4;

/// <summary>
/// Volumes with names of every kind, changed at random at places that are in use: walking and changing them ends in success or in a typed
/// error. Half of them have no checksums, so that the damage is reached.
/// </summary>
public sealed class HostileNamesTests
{
    private const int Rounds = 25;
    private const int BlockSize = 1024;

    public static TheoryData<int> Seeds => [.. Enumerable.Range(900, 12)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Damaged_names_end_in_typed_errors(int seed)
    {
        var fixture = new NamesFixture(seed, length: 6 << 20);
        fixture.Scheduler.Run(async () =>
        {
            var random = new Random(seed);
            string features = (seed % 4) switch
            {
                0 => "^metadata_csum",
                1 => "^metadata_csum,^64bit,^extent",
                2 => "^metadata_csum,large_dir,orphan_file",
                _ => string.Empty,
            };
            await fixture.MakeAsync(new MakingOptions { BlockSize = BlockSize, InodeCount = 512, Features = features });
            await FillAsync(fixture);
            byte[] whole = fixture.Device.Peek(0, (int)fixture.Device.Length);
            int[] used = [.. Enumerable.Range(1, (whole.Length / BlockSize) - 1)
                .Where(b => whole.AsSpan(b * BlockSize, BlockSize).ContainsAnyExcept((byte)0))];
            for (int round = 0; round < Rounds; round++)
            {
                byte[] damaged = (byte[])whole.Clone();
                Damage(damaged, used, random);
                fixture.Device.Poke(0, damaged);
                await AttackAsync(fixture, isReadOnly: round % 3 == 0);
            }
        });
    }

    private static void Damage(byte[] bytes, int[] used, Random random)
    {
        int count = 1 + random.Next(6);
        for (int i = 0; i < count; i++)
        {
            int block = used[random.Next(used.Length)];
            int at = (block * BlockSize) + (random.Next(BlockSize / 4) * 4);
            switch (random.Next(4))
            {
                case 0:
                    bytes[at + random.Next(4)] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    bytes.AsSpan(at, 4).Fill(0xFF);
                    break;
                case 2:
                    bytes.AsSpan(at, 4).Clear();
                    break;
                default:
                    // What is sound elsewhere is the most misleading.
                    bytes.AsSpan(used[random.Next(used.Length)] * BlockSize, BlockSize).CopyTo(bytes.AsSpan(block * BlockSize));
                    break;
            }
        }
    }

    private static async Task AttackAsync(NamesFixture fixture, bool isReadOnly)
    {
        Ext4FileSystem fileSystem;
        try
        {
            fileSystem = await fixture.OpenAsync(isReadOnly);
        }
        catch (FileSystemException)
        {
            return;
        }

        await TryAsync(async () => await new VolumeWalker(fileSystem, mostInodes: 300).RunAsync());
        if (!isReadOnly)
        {
            await TryAsync(() => ChangeAsync(fileSystem));
        }

        await TryAsync(async () => await fileSystem.DisposeAsync());
    }

    private static async Task ChangeAsync(Ext4FileSystem fileSystem)
    {
        var names = new Namespace(fileSystem);
        Inode root = await names.GetRootAsync();
        Inode? many = null;
        await TryAsync(async () => many = await names.LookupAsync(root, Name("many")));
        foreach (Inode directory in new[] { root, many ?? root })
        {
            for (int i = 0; i < 40; i++)
            {
                FileName name = Name($"new-{i}-{new string('n', i)}");
                await TryAsync(async () => await fileSystem.Inodes.ReleaseAsync(await names.MakeAsync(directory, name, i % 4 == 0 ? NamesFixture.Directory : NamesFixture.File)));
                await TryAsync(async () => await names.UnlinkAsync(directory, Name($"file-{i}-{new string('x', 40)}")));
                await TryAsync(async () => await names.RenameAsync(directory, Name($"file-{i + 50}-{new string('x', 40)}"), root, name, RenameFlags.None));
                await TryAsync(async () => await names.RemoveDirectoryAsync(root, Name($"dir-{i}")));
            }
        }
    }

    private static async Task FillAsync(NamesFixture fixture)
    {
        await using Ext4FileSystem fileSystem = await fixture.OpenAsync();
        var names = new Namespace(fileSystem);
        Inode root = await names.GetRootAsync();
        Inode many = await names.MakeAsync(root, Name("many"), NamesFixture.Directory);
        for (int i = 0; i < 120; i++)
        {
            Inode made = await names.MakeAsync(many, Name($"file-{i}-{new string('x', 40)}"), NamesFixture.File);
            if (i % 10 == 0)
            {
                await made.SetAttributeAsync(Name("user.name"), new byte[i * 5], AttributeCondition.None);
            }

            await fileSystem.Inodes.ReleaseAsync(made);
        }

        for (int i = 0; i < 10; i++)
        {
            Inode made = await names.MakeAsync(root, Name($"dir-{i}"), NamesFixture.Directory);
            var link = new NewNode { Mode = 0xA1FF, UserId = 0, GroupId = 0, LinkTarget = new byte[20 + (i * 20)].Select(_ => (byte)'t').ToArray() };
            await fileSystem.Inodes.ReleaseAsync(await names.MakeAsync(made, Name("link"), link));
            await fileSystem.Inodes.ReleaseAsync(made);
        }

        await fileSystem.Inodes.ReleaseAsync(many);
        await fileSystem.Inodes.ReleaseAsync(root);
    }

    private static async Task TryAsync(Func<Task> step)
    {
        try
        {
            await step();
        }
        catch (FileSystemException)
        {
            // Typed: that is all that is asked.
        }
    }
}
