using Penstock.Ext4.Checking;
using Penstock.Ext4.Format;

namespace Penstock.Ext4.Repairing;

/// <summary>Writes a quota file anew, from what was counted and the limits that the old one had.</summary>
internal sealed class QuotaRepair(CheckRun run, Repair repair)
{
    private const ushort Mode = 0x8180; // -rw-------

    public async ValueTask RunAsync(QuotaKind kind, uint number, InodeRecord inode, IReadOnlyDictionary<uint, QuotaEntry> before)
    {
        IReadOnlyDictionary<uint, (ulong Inodes, ulong Bytes)> counted = run.Quotas!.Of(kind);
        IEnumerable<QuotaEntry> entries = counted.Keys.Union(before.Where(e => HasLimits(e.Value)).Select(e => e.Key)).Order().Select(id =>
        {
            (ulong inodes, ulong bytes) = counted.GetValueOrDefault(id);
            return before.GetValueOrDefault(id) with { Id = id, Inodes = inodes, Bytes = bytes };
        });
        byte[] contents = QuotaTree.Build(kind, entries);
        if (!inode.IsRegular || inode.LinkCount == 0)
        {
            (inode.Mode, inode.LinkCount, inode.DeletionTime) = (Mode, 1, 0);
            inode.Flags = InodeFlags.Immutable | (run.Has(IncompatFeatures.Extents) ? InodeFlags.Extents : 0);
            inode.BlockField.Clear();
        }

        var map = new FileMap(run, repair, number);
        await map.LoadAsync(inode).ConfigureAwait(false);
        await WriteAsync(map, contents, number, inode).ConfigureAwait(false);
    }

    private static bool HasLimits(QuotaEntry entry) => (entry.HardInodes | entry.SoftInodes | entry.HardBlocks | entry.SoftBlocks) != 0;

    private async ValueTask WriteAsync(FileMap map, byte[] contents, uint number, InodeRecord inode)
    {
        ulong blocks = ((ulong)contents.Length + (ulong)run.BlockSize - 1) / (ulong)run.BlockSize;
        List<ulong> places = [.. map.Runs.SelectMany(r => Enumerable.Range(0, (int)Math.Min(r.Count, blocks)).Select(i => r.Volume + (ulong)i))];
        bool isKept = run.Geometry.LogClusterRatio == 0;
        var made = new List<MapRun>();
        for (ulong next = 0; next < blocks; next++)
        {
            ulong within = next & ((1UL << run.Geometry.LogClusterRatio) - 1);
            ulong? place = isKept && next < (ulong)places.Count ? places[(int)next]
                : within != 0 ? made[^1].Volume + 1
                : repair.TakeCluster(0);
            if (place is null)
            {
                return;
            }

            made.Add(new MapRun(next, place.Value, 1, false));
            int offset = (int)next * run.BlockSize;
            await repair.WriteAsync(place.Value, contents.AsMemory(offset, Math.Min(run.BlockSize, contents.Length - offset))).ConfigureAwait(false);
        }

        map.Take(made, map.MapBlocks);
        if (await map.StoreAsync(inode, inode.AttributeBlock.Value != 0 ? 1u : 0u).ConfigureAwait(false))
        {
            inode.Size = (ulong)contents.Length;
            await repair.WriteInodeAsync(number, inode).ConfigureAwait(false);
        }
    }
}
