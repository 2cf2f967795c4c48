using Penstock.Ext4;
using Penstock.Mapping;
using Penstock.Testing.Models;
using Xunit;

namespace Penstock.Testing.Ext4;

/// <summary>A file: what the mapper does, and what its model says.</summary>
internal sealed class TestFile(TestVolume volume, TestMapOwner owner, Ext4BlockMapper mapper)
{
    public TestMapOwner Owner => owner;

    public Ext4BlockMapper Mapper => mapper;

    public FileMapModel Model { get; } = new();

    /// <summary>Allocates the whole range, hole by hole; false if there was no room for all of it.</summary>
    public async Task<bool> AllocateAsync(ulong first, ulong count, MapState state, bool isReserved = false)
    {
        if (isReserved && mapper.TryReserve(count) != IoFault.None)
        {
            return false;
        }

        ulong end = first + count;
        ulong unused = isReserved ? count : 0;
        try
        {
            while (first < end)
            {
                ulong before = first;
                bool wasHole = Model[before].State == MapState.Hole;
                BlockRun run = await volume.ChangeAsync(
                    mapper.CreditsToAllocate(end - before),
                    handle => mapper.AllocateAsync(handle, new FileBlock(before), end - before, state, isReserved));
                Assert.Equal(before, run.First.Value);
                Assert.InRange(run.Count, 1UL, end - before);
                if (wasHole)
                {
                    Model.Add(run);
                    unused -= isReserved ? run.Count : 0;
                }

                Assert.Null(Model.Contradiction(run));
                first += run.Count;
                owner.Size = Math.Max(owner.Size, (long)first * mapper.BlockSize);
            }

            return true;
        }
        catch (FileSystemException e) when (e.Fault == IoFault.NoSpace && !isReserved)
        {
            return false;
        }
        finally
        {
            mapper.CancelReservation(unused);
        }
    }

    public async Task ConvertAsync(ulong first, ulong count)
    {
        await volume.ChangeAsync(mapper.CreditsToConvert(count), handle => mapper.ConvertAsync(handle, new FileBlock(first), count));
        Model.Turn(first, count, MapState.Mapped);
    }

    public async Task RemoveAsync(ulong first, ulong count)
    {
        await mapper.RemoveAsync(new FileBlock(first), count);
        Model.Remove(first, count);
    }

    public async Task ZeroAsync(ulong first, ulong count)
    {
        await mapper.ZeroAsync(new FileBlock(first), count);
        Model.Turn(first, count, MapState.Unwritten);
    }

    public async Task CollapseAsync(ulong first, ulong count)
    {
        await mapper.CollapseAsync(new FileBlock(first), count);
        Model.Collapse(first, count);
    }

    public async Task InsertAsync(ulong first, ulong count)
    {
        await mapper.InsertAsync(new FileBlock(first), count);
        Model.Insert(first, count);
    }

    /// <summary>Looks the range up and compares.</summary>
    public async Task CheckMapAsync(ulong first, ulong count)
    {
        for (ulong next = first; next < first + count;)
        {
            bool isCached = mapper.TryMap(new FileBlock(next), first + count - next, out BlockRun cached);
            BlockRun run = await mapper.MapAsync(new FileBlock(next), first + count - next);
            Assert.Equal(next, run.First.Value);
            Assert.InRange(run.Count, 1UL, first + count - next);
            Assert.Null(Model.Contradiction(run));
            if (isCached)
            {
                Assert.Null(Model.Contradiction(cached));
            }

            Assert.True(mapper.TryMap(new FileBlock(next), 1, out _));
            next += run.Count;
        }
    }
}
