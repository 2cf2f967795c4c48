using Penstock.Files;

namespace Penstock.Ext4;

/// <content>An inode leaves the memory.</content>
internal sealed partial class Ext4FileSystem
{
    public override ValueTask EvictInodeAsync(Inode inode)
    {
        // Nobody appends to it for now: the blocks behind it are free for others again.
        ((Ext4Inode)inode).MapperInUse?.ReleaseWindow();
        return base.EvictInodeAsync(inode);
    }
}
