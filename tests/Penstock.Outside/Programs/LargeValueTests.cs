using Penstock.Outside.Volumes;
using Xunit;

namespace Penstock.Outside.Programs;

/// <summary>Values of attributes that are larger than a block (ea_inode): by us and by the kernel, on one volume; e2fsck judges between.</summary>
public sealed class LargeValueTests
{
    /// <summary>value NAME LENGTH LETTER FILE</summary>
    private const string SetValue =
        "value() { python3 -c \"import os, sys; os.setxattr(sys.argv[4], 'user.' + sys.argv[1], sys.argv[3].encode() * int(sys.argv[2]))\" \"$@\"; }; ";

    private const string Sums = "python3 -c \"\nimport os,hashlib\nfor f in sorted(os.listdir('.')):\n for n in sorted(os.listxattr(f)): print(f, n, hashlib.sha256(os.getxattr(f, n)).hexdigest())\n\"";

    [Theory]
    [InlineData("mkfs.ext4 -O ea_inode")]
    [InlineData("mkfs.ext4 -O ea_inode -b 1024")]
    [InlineData("mkfs.ext4 -O ea_inode -b 1024 -I 128 -O ^extents,^64bit")]
    [InlineData("mkfs.ext4 -O ea_inode,bigalloc,inline_data -C 16384")]
    [InlineData("mkfs.ext4 -O ea_inode,^has_journal,^metadata_csum")]
    public void Set_read_replaced_and_removed(string making)
    {
        Needs.LoopMounts();
        Needs.Tools("python3");
        MountedVolume.Use(making, v =>
        {
            v.Run(SetValue + """
                : > f; mkdir d; : > g
                value a 65536 a f; value b 5000 b f; value c 4000 c f; value d 9000 d d; value small 10 s f
                for i in $(seq 1 12); do value n$i $((3000 + i * 1500)) $(printf "\\$(printf %03o $((96 + i)))") g; done
                value b 60000 B f; value a 20 a f; value c 30000 c f; value n3 12345 z g; python3 -c "import os; os.removexattr('g', 'user.n5')"
                """);
            string before = v.Run(Sums);
            v.Remount();
            Assert.Equal(before, v.Run(Sums));
            v.Unmount();
            v.MountByKernel();
            Assert.Equal(before, v.Run(Sums));
            v.Run(SetValue + "value k1 40000 k f; value k2 40000 k g; value k3 40000 k d; value b 50000 b f; : > h; value n1 7000 q h; value n2 9000 q h; cp --preserve=all h h2; cp --preserve=all h h3");
            before = v.Run(Sums);
            v.UnmountByKernel();
            v.Judge();
            v.Mount();
            Assert.Equal(before, v.Run(Sums));
            v.Run(SetValue + "value n2 8000 w h2; python3 -c \"import os; os.removexattr('h', 'user.n1'); os.removexattr('f', 'user.k1')\"; rm g h3");
            before = v.Run(Sums);
            v.Remount();
            Assert.Equal(before, v.Run(Sums));
            v.Unmount();
            v.MountByKernel("loop,ro");
            Assert.Equal(before, v.Run(Sums));
            v.UnmountByKernel();
            v.Mount();
            string free = v.Run("rm -r f h h2 d; sync; stat -f -c %d .");
            v.Remount();
            Assert.Equal(free, v.Run("stat -f -c %d ."));
        });
    }

    [Fact]
    public void A_list_that_is_handed_on_may_be_large() => MountedVolume.Use("mkfs.ext4 -O ea_inode -b 1024", v =>
    {
        Needs.Tools("setfacl");
        v.Run("""
            mkdir dir; for i in $(seq 1000 1300); do echo "d:u:$i:rw-"; done > ../list; setfacl -M ../list dir
            mkdir dir/inner; : > dir/inner/file; getfacl -n dir/inner/file | grep -q user:1277:rw-; getfacl -dn dir/inner | grep -q user:1200:rw-
            """);
        v.Remount();
        v.Run("getfacl -n dir/inner/file | grep -q user:1277:rw-; rm -r dir");
    });

    [Fact]
    public void A_full_volume_refuses_and_stays_whole() => MountedVolume.Use(
        "mkfs.ext4 -O ea_inode -N 64",
        v =>
        {
            v.Run(SetValue + ": > f; value keep 30000 k f; cat /dev/zero > fill 2> /dev/null || true; sync; refused value more 60000 m f; rm fill; value more 60000 m f");
            v.Remount();
            v.Run("test $(getfattr --only-values -n user.keep f | wc -c) = 30000; test $(getfattr --only-values -n user.more f | wc -c) = 60000");
        },
        "16M");
}
