using Penstock.Ext4;
using Penstock.Ext4.Extents;
using Penstock.Ext4.Format;
using Penstock.Ext4.Indirect;
using Penstock.Mapping;
using Penstock.Testing.Execution;
using Penstock.Testing.Ext4;
using Xunit;

namespace Penstock.Tests.Ext4;

/// <summary>
/// Volumes whose maps and bitmaps were changed at random, with checksums made right again half of the time: whatever is done with them ends, in success or
/// in a typed error.
/// </summary>
public sealed class HostileVolumeTests
{
    private const int Rounds = 30;

    public static TheoryData<int> Seeds => [.. Enumerable.Range(500, 10)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Whatever_the_maps_say_every_operation_ends_in_success_or_in_a_typed_error(int seed)
    {
        var random = new Random(seed);
        var volume = new TestVolume(new EmptyVolume { HasChecksums = seed % 3 != 0, Is64Bit = seed % 2 == 0 }, seed);
        volume.Scheduler.Run(async () =>
        {
            var fixture = new MapperFixture(volume);
            await FillAsync(fixture);
            await volume.CommitAsync();
            byte[] whole = volume.Device.Peek(0, (int)volume.Device.Length);
            for (int round = 0; round < Rounds; round++)
            {
                volume.Device.Poke(0, whole);
                await AttackAsync(volume, random);
            }
        });
    }

    [Fact]
    public void A_node_that_is_its_own_child_is_refused() => RunOnDeepFile(async (volume, owner) =>
    {
        // The root's first child claims to be an inner node that leads to itself.
        ExtentIndex first = ExtentIndex.Read(owner.BlockField, 0);
        byte[] node = Peek(volume, first.Child);
        ExtentHeader header = ExtentHeader.Read(node);
        (header with { Depth = 1, Entries = 1 }).WriteTo(node);
        first.WriteTo(node, 0);
        Poke(volume, owner, first.Child, node);
        SetRootDepth(owner, depth: 2);
        CorruptVolumeException loop = await MapThrowsAsync(volume, owner);
        Assert.Equal(("extent node", "ei_leaf"), (loop.Structure, loop.Field));
    });

    [Fact]
    public void A_leaf_one_level_too_high_is_refused() => RunOnDeepFile(async (volume, owner) =>
    {
        SetRootDepth(owner, depth: 3);
        CorruptVolumeException wrong = await MapThrowsAsync(volume, owner);
        Assert.Equal(("extent header", "eh_depth"), (wrong.Structure, wrong.Field));
    });

    [Fact]
    public void A_node_that_claims_more_entries_than_fit_is_refused() => RunOnDeepFile(async (volume, owner) =>
    {
        ExtentIndex first = ExtentIndex.Read(owner.BlockField, 0);
        byte[] node = Peek(volume, first.Child);
        (ExtentHeader.Read(node) with { Entries = ushort.MaxValue, Capacity = ushort.MaxValue }).WriteTo(node);
        volume.Device.Poke((long)first.Child.Value * 1024, node);
        CorruptVolumeException wrong = await MapThrowsAsync(volume, owner);
        Assert.Equal(("extent header", "eh_max"), (wrong.Structure, wrong.Field));
    });

    private static async Task FillAsync(MapperFixture fixture)
    {
        TestFile tree = fixture.AddFile();
        TestFile map = fixture.AddFile(hasExtents: false);
        for (ulong i = 0; i < 400; i++)
        {
            await tree.AllocateAsync(i * 2, 1, i % 3 == 0 ? MapState.Unwritten : MapState.Mapped);
            await map.AllocateAsync(i * 200, 1, MapState.Mapped);
        }

        Assert.InRange(ExtentHeader.Read(tree.Owner.BlockField).Depth, 1, 2);
    }

    /// <summary>Changes a few bytes of what the files and groups hang on, opens the volume and works with it.</summary>
    private static async Task AttackAsync(TestVolume volume, Random random)
    {
        TestMapOwner tree = await TestMapOwner.LoadAsync(volume.Volume, 12);
        TestMapOwner map = await TestMapOwner.LoadAsync(volume.Volume, 13);
        for (int i = random.Next(1, 5); i > 0; i--)
        {
            Mutate(volume, tree, map, random);
        }

        var opened = new TestVolume(volume.Device, Superblock.Parse(volume.Device.Peek(Superblock.VolumeOffset, Superblock.Size)));
        Ext4BlockMapper[] mappers = [new ExtentMapper(opened.Volume, Adopt(opened, tree)), new IndirectMapper(opened.Volume, Adopt(opened, map))];
        for (int i = 0; i < 60; i++)
        {
            try
            {
                await OperateAsync(opened, mappers[random.Next(2)], random);
            }
            catch (FileSystemException)
            {
                // What it should be. Anything else fails the test.
            }
        }

        try
        {
            await opened.CommitAsync();
        }
        catch (FileSystemException)
        {
        }
    }

    private static TestMapOwner Adopt(TestVolume opened, TestMapOwner owner) => owner.On(opened.Volume);

    private static void Mutate(TestVolume volume, TestMapOwner tree, TestMapOwner map, Random random)
    {
        switch (random.Next(6))
        {
            case 0:
                tree.RawBlockField[random.Next(60)] = Byte(random);
                break;
            case 1:
                map.RawBlockField[random.Next(60)] = Byte(random);
                break;
            case 2:
                MutateBlock(volume, LittleEndian.U32(map.BlockField, 4 * random.Next(12, 15)), random, _ => { });
                break;
            case 3:
                int group = random.Next(8);
                long descriptor = (2 * 1024) + (group * volume.Geometry.DescriptorSize) + random.Next(volume.Geometry.DescriptorSize);
                volume.Device.Poke(descriptor, [Byte(random)]);
                break;
            case 4:
                var bitmap = volume.Volume.Groups.TryGet(new BlockGroup((uint)random.Next(8)));
                MutateBlock(volume, bitmap?.BlockBitmap.Value ?? 0, random, _ => { });
                break;
            default:
                uint seed = volume.Volume.Checksum.SeedOf(tree.Number, tree.Generation);
                MutateBlock(volume, ExtentIndex.Read(tree.BlockField, random.Next(4)).Child.Value, random, node =>
                {
                    if (ExtentHeader.Read(node).Capacity <= ExtentHeader.CapacityOf(node.Length))
                    {
                        ExtentTail.Write(node, seed);
                    }
                });
                break;
        }
    }

    private static void MutateBlock(TestVolume volume, ulong block, Random random, Action<byte[]> seal)
    {
        if (block == 0 || block >= volume.Geometry.BlockCount)
        {
            return;
        }

        byte[] bytes = volume.Device.Peek((long)block * 1024, 1024);
        int offset = random.Next(3) == 0 ? random.Next(1024) : random.Next(40);
        bytes[offset] = Byte(random);
        if (random.Next(2) == 0)
        {
            seal(bytes);
        }

        volume.Device.Poke((long)block * 1024, bytes);
    }

    private static byte Byte(Random random) => random.Next(4) switch { 0 => 0, 1 => 255, 2 => (byte)(1 << random.Next(8)), _ => (byte)random.Next(256) };

    private static async Task OperateAsync(TestVolume volume, Ext4BlockMapper mapper, Random random)
    {
        var first = new FileBlock((ulong)(random.Next(2) == 0 ? random.Next(900) : random.Next(80000)));
        ulong count = (ulong)random.Next(1, 300);
        bool canBeUnwritten = mapper.CanBeUnwritten;
        switch (random.Next(7))
        {
            case 0:
                await volume.ChangeAsync(
                    mapper.CreditsToAllocate(count),
                    handle => mapper.AllocateAsync(handle, first, count, canBeUnwritten ? MapState.Unwritten : MapState.Mapped, false));
                break;
            case 1:
                await volume.ChangeAsync(mapper.CreditsToConvert(count), handle => mapper.ConvertAsync(handle, first, count));
                break;
            case 2:
                await mapper.RemoveAsync(first, count);
                break;
            case 3:
                await mapper.ZeroAsync(first, count);
                break;
            case 4:
                await mapper.CollapseAsync(first, count);
                break;
            case 5:
                await mapper.InsertAsync(first, count);
                break;
            default:
                await mapper.MapAsync(first, count);
                break;
        }
    }

    private static void RunOnDeepFile(Func<TestVolume, TestMapOwner, Task> body)
    {
        var volume = new TestVolume();
        volume.Scheduler.Run(async () =>
        {
            var fixture = new MapperFixture(volume);
            await FillAsync(fixture);
            TestVolume again = await volume.ReopenAsync();
            await body(again, await TestMapOwner.LoadAsync(again.Volume, 12));
        });
    }

    private static void SetRootDepth(TestMapOwner owner, ushort depth) =>
        (ExtentHeader.Read(owner.BlockField) with { Depth = depth }).WriteTo(owner.RawBlockField);

    private static byte[] Peek(TestVolume volume, VolumeBlock block) => volume.Device.Peek((long)block.Value * 1024, 1024);

    private static void Poke(TestVolume volume, TestMapOwner owner, VolumeBlock block, byte[] node)
    {
        ExtentTail.Write(node, volume.Volume.Checksum.SeedOf(owner.Number, owner.Generation));
        volume.Device.Poke((long)block.Value * 1024, node);
    }

    private static Task<CorruptVolumeException> MapThrowsAsync(TestVolume volume, TestMapOwner owner) =>
        Assert.ThrowsAsync<CorruptVolumeException>(() => new ExtentMapper(volume.Volume, owner).MapAsync(default, 1).AsTask());
}
