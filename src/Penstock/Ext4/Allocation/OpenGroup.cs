using Penstock.Journal;

namespace Penstock.Ext4.Allocation;

/// <summary>A group whose descriptor and bitmap are in memory and pinned, ready for work under the group's latch.</summary>
/// <param name="Group">The group.</param>
/// <param name="Descriptor">The block with its descriptor.</param>
/// <param name="Bitmap">Its bitmap, or null where that was never written (an UNINIT group).</param>
internal readonly record struct OpenGroup(Group Group, MetadataBlock Descriptor, MetadataBlock? Bitmap)
{
    public void Close()
    {
        Descriptor?.Unpin();
        Bitmap?.Unpin();
    }
}
