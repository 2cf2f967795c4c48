using Penstock.Caching;
using Penstock.Devices;
using Penstock.Execution;
using Penstock.Ext4;
using Penstock.Ext4.Making;
using Penstock.Files;
using Penstock.Mapping;
using Penstock.Tests.Ext4;
using Xunit;
using static Penstock.Tests.Ext4.NamesFixture;

namespace Penstock.Tests.Files;

/// <summary>The cache of names: bounded, and never saying anything else than the directory does.</summary>
public sealed class NameCacheTests
{
    [Fact]
    public void What_was_put_is_found_until_it_is_forgotten() => WithRoot((cache, root) =>
    {
        cache.Put(root, "made"u8, new InodeNumber(17));
        cache.Put(root, "missing"u8, default);
        Assert.True(cache.TryFind(root, "made"u8, out InodeNumber made));
        Assert.Equal(17ul, made.Value);
        Assert.True(cache.TryFind(root, "missing"u8, out InodeNumber missing));
        Assert.True(missing.IsNone);
        Assert.False(cache.TryFind(root, "mad"u8, out _));
        cache.Forget(root, "made"u8);
        Assert.False(cache.TryFind(root, "made"u8, out _));
        Assert.Equal(1, cache.Count);
    });

    [Fact]
    public void It_grows_with_the_names_and_then_no_more() => WithRoot((cache, root) =>
    {
        const int Names = 3 * NameCache.MaxPlaces;
        for (int i = 0; i < Names; i++)
        {
            cache.Put(root, BitConverter.GetBytes(i), new InodeNumber((ulong)i + 1));
            Assert.True(cache.TryFind(root, BitConverter.GetBytes(i), out InodeNumber found));
            Assert.Equal((ulong)i + 1, found.Value);
        }

        Assert.InRange(cache.Count, NameCache.MaxPlaces / 2, NameCache.MaxPlaces);
    });

    [Fact]
    public void A_directory_that_gets_the_number_of_a_removed_one_has_none_of_its_names() => Run(new NamesFixture(), async (names, root) =>
    {
        ulong number = await MakeAsync(names, root, "old", NamesFixture.Directory);
        Inode old = await names.LookupAsync(root, Name("old"));
        names.FileSystem.NameCache.Put(old, "ghost"u8, new InodeNumber(11));
        await names.RemoveDirectoryAsync(root, Name("old"));
        await names.FileSystem.Inodes.ReleaseAsync(old);
        Assert.Equal(number, await MakeAsync(names, root, "new", NamesFixture.Directory));
        Inode made = await names.LookupAsync(root, Name("new"));
        Assert.Null(await names.TryLookupAsync(made, Name("ghost")));
        await names.FileSystem.Inodes.ReleaseAsync(made);
    });

    /// <summary>With the rule broken the same steps must be noticed: else they show nothing.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_is_remembered_follows_every_change_of_a_name(bool isBroken)
    {
        foreach (Func<Namespace, Inode, Task<bool>> follows in (Func<Namespace, Inode, Task<bool>>[])[
            FollowsCreationAsync, FollowsRemovalAsync, FollowsRenameAsync, FollowsExchangeAsync, FollowsLinkAsync])
        {
            var fixture = new NamesFixture();
            bool isTrue = false;
            Run(fixture, async (names, root) =>
            {
                await MakeAsync(names, root, "a", NamesFixture.File);
                await MakeAsync(names, root, "b", NamesFixture.File);
                foreach (string name in (string[])["a", "b", "c"])
                {
                    await LookAsync(names, root, name);
                }

                fixture.Scheduler.BrokenRule = isBroken ? Rule.ChangedNamesAreForgotten : Rule.None;
                isTrue = await follows(names, root);
            });
            Assert.Equal(!isBroken, isTrue);
        }
    }

    /// <summary>Each worker alone changes its names, in directories that all share, so after each change it knows what they lead to; others look at them all the while.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Look_ups_among_changes_are_true(int seed)
    {
        var fixture = new NamesFixture(seed);
        Run(fixture, (names, root) => HammerAsync(names, root, seed, changes: 150));
        fixture.AssertLocksInOrder();
    }

    [Fact]
    public async Task Look_ups_among_changes_are_true_on_threads_too()
    {
        var device = new MemoryDevice("memory", Scheduler.Default, 64 << 20);
        await Ext4Maker.MakeAsync(device, new MakingOptions());
        await using (Ext4FileSystem fileSystem = await Ext4FileSystem.OpenAsync(device, new PageCache(Scheduler.Default, 4 << 20), new Ext4OpenOptions()))
        {
            var names = new Namespace(fileSystem);
            Inode root = await names.GetRootAsync();
            await HammerAsync(names, root, seed: 5, changes: 2000);
            await fileSystem.Inodes.ReleaseAsync(root);
        }

        await device.DisposeAsync();
    }

    private static async Task HammerAsync(Namespace names, Inode root, int seed, int changes)
    {
        Inode[] directories = [root, await names.MakeAsync(root, Name("d"), NamesFixture.Directory), await names.MakeAsync(root, Name("e"), NamesFixture.Directory)];
        bool isOver = false;
        Task[] lookers = [.. Enumerable.Range(0, 2).Select(i => LookAroundAsync(names, directories, new Random(seed + (100 * i)), () => Volatile.Read(ref isOver)))];
        await Task.WhenAll(Enumerable.Range(0, 4).Select(i => ChangeOwnAsync(names, directories, i, new Random(seed + i), changes)));
        Volatile.Write(ref isOver, true);
        await Task.WhenAll(lookers);
        await names.FileSystem.Inodes.ReleaseAsync(directories[1]);
        await names.FileSystem.Inodes.ReleaseAsync(directories[2]);
    }

    private static async Task LookAroundAsync(Namespace names, Inode[] directories, Random random, Func<bool> isOver)
    {
        while (!isOver())
        {
            await YieldAsync(names);
            await LookAsync(names, directories[random.Next(3)], $"w{random.Next(4)}n{random.Next(3)}");
        }
    }

    private static async Task ChangeOwnAsync(Namespace names, Inode[] directories, int worker, Random random, int changes)
    {
        await YieldAsync(names);
        var expected = new Dictionary<(int Directory, string Name), ulong>();
        for (int i = 0; i < changes; i++)
        {
            var from = (Directory: random.Next(3), Name: $"w{worker}n{random.Next(3)}");
            var to = (Directory: random.Next(3), Name: $"w{worker}n{random.Next(3)}");
            if (!expected.TryGetValue(from, out ulong number))
            {
                expected[from] = await MakeAsync(names, directories[from.Directory], from.Name, NamesFixture.File);
            }
            else if (from == to || random.Next(4) == 0)
            {
                await names.UnlinkAsync(directories[from.Directory], Name(from.Name));
                expected.Remove(from);
            }
            else
            {
                bool exchanges = expected.TryGetValue(to, out ulong other) && random.Next(2) == 0;
                await names.RenameAsync(
                    directories[from.Directory], Name(from.Name), directories[to.Directory], Name(to.Name), exchanges ? RenameFlags.Exchange : RenameFlags.None);
                expected[to] = number;
                expected.Remove(from);
                if (exchanges)
                {
                    expected[from] = other;
                }
            }

            Assert.Equal(expected.GetValueOrDefault(from), await LookAsync(names, directories[from.Directory], from.Name));
            Assert.Equal(expected.GetValueOrDefault(to), await LookAsync(names, directories[to.Directory], to.Name));
        }
    }

    private static Task YieldAsync(Namespace names)
    {
        var turn = new TaskCompletionSource();
        names.FileSystem.Scheduler.Post(static state => ((TaskCompletionSource)state!).SetResult(), turn);
        return turn.Task;
    }

    private static async Task<bool> FollowsCreationAsync(Namespace names, Inode root) =>
        await MakeAsync(names, root, "c", NamesFixture.File) == await LookAsync(names, root, "c");

    private static async Task<bool> FollowsRemovalAsync(Namespace names, Inode root)
    {
        await names.UnlinkAsync(root, Name("a"));
        return await LooksLikeAsync(names, root, "a", 0);
    }

    private static async Task<bool> FollowsRenameAsync(Namespace names, Inode root)
    {
        ulong number = await LookAsync(names, root, "a");
        await names.RenameAsync(root, Name("a"), root, Name("b"), RenameFlags.None);
        return await LooksLikeAsync(names, root, "b", number) && await LooksLikeAsync(names, root, "a", 0);
    }

    private static async Task<bool> FollowsExchangeAsync(Namespace names, Inode root)
    {
        ulong first = await LookAsync(names, root, "a");
        ulong second = await LookAsync(names, root, "b");
        await names.RenameAsync(root, Name("a"), root, Name("b"), RenameFlags.Exchange);
        return await LooksLikeAsync(names, root, "a", second) && await LooksLikeAsync(names, root, "b", first);
    }

    private static async Task<bool> FollowsLinkAsync(Namespace names, Inode root)
    {
        Inode target = await names.LookupAsync(root, Name("a"));
        await names.LinkAsync(root, Name("c"), target);
        ulong number = target.Number.Value;
        await names.FileSystem.Inodes.ReleaseAsync(target);
        return await LooksLikeAsync(names, root, "c", number);
    }

    /// <summary>A name that is wrongly remembered may lead to an inode that is free by now.</summary>
    private static async Task<bool> LooksLikeAsync(Namespace names, Inode directory, string name, ulong expected)
    {
        try
        {
            return await LookAsync(names, directory, name) == expected;
        }
        catch (FileSystemException)
        {
            return false;
        }
    }

    /// <summary>The inode's number; 0 if there is none.</summary>
    private static async Task<ulong> LookAsync(Namespace names, Inode directory, string name)
    {
        Inode? found = await names.TryLookupAsync(directory, Name(name));
        if (found is null)
        {
            return 0;
        }

        await names.FileSystem.Inodes.ReleaseAsync(found);
        return found.Number.Value;
    }

    private static async Task<ulong> MakeAsync(Namespace names, Inode directory, string name, NewNode what)
    {
        Inode made = await names.MakeAsync(directory, Name(name), what);
        await names.FileSystem.Inodes.ReleaseAsync(made);
        return made.Number.Value;
    }

    private static void WithRoot(Action<NameCache, Inode> action) => Run(new NamesFixture(), (names, root) =>
    {
        action(new NameCache(), root);
        return Task.CompletedTask;
    });

    private static void Run(NamesFixture fixture, Func<Namespace, Inode, Task> action) => fixture.Scheduler.Run(async () =>
    {
        await fixture.MakeAsync(new MakingOptions());
        await using Ext4FileSystem fileSystem = await fixture.OpenAsync();
        var names = new Namespace(fileSystem);
        Inode root = await names.GetRootAsync();
        await action(names, root);
        await fileSystem.Inodes.ReleaseAsync(root);
    });
}
