using Penstock.Fuse.Transport;
using Xunit;

namespace Penstock.Tests.Fuse.Transport;

public sealed class ReadaheadTests
{
    [Theory]
    [InlineData("/mnt/a", "0:39")]
    [InlineData("/mnt/b", "0:41")]
    [InlineData("/mnt/disk", null)]
    [InlineData("/mnt", null)]
    public void The_device_is_that_of_the_mount_on_top_if_it_is_one_of_ours(string directory, string? device)
    {
        string[] table =
        [
            "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw",
            "40 22 0:39 / /mnt/a rw,nosuid,nodev shared:9 master:2 - fuse.penstock a.img rw,user_id=0",
            "41 22 0:40 / /mnt/b rw - ext4 /dev/vdb rw",
            "42 41 0:41 / /mnt/b rw - fuse.penstock b.img rw",
            "43 22 0:42 / /mnt/disk rw - fuse.penstock c.img rw",
            "44 43 254:1 / /mnt/disk rw - ext4 /dev/vdc rw",
            "broken",
        ];

        Assert.Equal(device, Readahead.FindDevice(table, directory));
    }
}
