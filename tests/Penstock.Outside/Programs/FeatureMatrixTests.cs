using Penstock.Outside.Volumes;
using Xunit;

namespace Penstock.Outside.Programs;

/// <summary>A mixed load on a volume of every feature that mkfs.ext4 can make; e2fsck finds nothing to fix after it.</summary>
public sealed class FeatureMatrixTests
{
    private const string Load = """
        mkdir -p a/b/c dir
        for i in $(seq 1 60); do head -c $((i * 997)) /dev/urandom > a/f$i; done
        for i in $(seq 1 400); do echo $i > dir/some-name-to-fill-a-folder-$i; done
        head -c 6000000 /dev/urandom > a/large; dd if=/dev/urandom of=a/sparse bs=4k seek=3000 count=5 status=none
        dd if=/dev/urandom of=a/direct bs=64k count=30 oflag=direct status=none 2> /dev/null || dd if=/dev/urandom of=a/direct bs=64k count=30 status=none
        for i in $(seq 1 40); do dd if=/dev/urandom of=a/scattered bs=1k seek=$((i * 50)) count=3 conv=notrunc status=none; done
        ln a/f1 a/b/hard; ln -s f2 a/soft; ln -s "$(printf 'y%.0s' $(seq 1 200))" a/long; mknod a/dev c 5 1; mkfifo a/fifo
        truncate -s 100 a/f50; truncate -s 3000000 a/f51; rm a/f5? ; rm dir/*7; mv a/f1 dir/; mv a/b a/moved
        fallocate -p -o 1000000 -l 2000000 a/large 2> /dev/null || true
        fallocate -l 2000000 a/reserved 2> /dev/null || true
        setfattr -n user.x -v "$(head -c 300 /dev/zero | tr '\0' q)" a/f2 2> /dev/null || true
        find . -type f -print0 | sort -z | xargs -0 sha256sum > ../sums
        """;

    public static TheoryData<string> Makings => new()
    {
        "mkfs.ext4 -b 1024", "mkfs.ext4 -b 2048", "mkfs.ext4 -b 4096", "mkfs.ext4 -O ^extents,^64bit", "mkfs.ext4 -O ^has_journal",
        "mkfs.ext4 -O bigalloc -C 16384", "mkfs.ext4 -O bigalloc,inline_data -C 65536", "mkfs.ext4 -O inline_data", "mkfs.ext4 -O inline_data -I 1024",
        "mkfs.ext4 -O ^metadata_csum", "mkfs.ext4 -O ^metadata_csum,uninit_bg", "mkfs.ext4 -O ^metadata_csum,^uninit_bg", "mkfs.ext4 -O ^64bit",
        "mkfs.ext4 -O meta_bg,^resize_inode", "mkfs.ext4 -b 1024 -O meta_bg,^resize_inode,^64bit", "mkfs.ext4 -I 128", "mkfs.ext4 -I 512", "mkfs.ext4 -t ext2", "mkfs.ext4 -t ext2 -b 1024", "mkfs.ext4 -t ext3",
        "mkfs.ext4 -O sparse_super2,^resize_inode", "mkfs.ext4 -O ^sparse_super,^resize_inode", "mkfs.ext4 -O large_dir", "mkfs.ext4 -O ea_inode", "mkfs.ext4 -O orphan_file",
        "mkfs.ext4 -O metadata_csum_seed", "mkfs.ext4 -O ^flex_bg", "mkfs.ext4 -O ^dir_index", "mkfs.ext4 -O ^filetype", "mkfs.ext4 -O mmp", "mkfs.ext4 -O quota",
        "mkfs.ext4 -O quota,project -I 256", "mkfs.ext4 -O ^huge_file,^dir_nlink,^extra_isize", "mkfs.ext4 -E packed_meta_blocks=1", "mkfs.ext4 -g 8192", "mkfs.ext4 -E hash_seed=11111111-2222-3333-4444-555555555555 -E stride=4",
        "mkfs.ext4 -b 8192", "mkfs.ext4 -b 16384", "mkfs.ext4 -b 65536", "mkfs.ext4 -O casefold", "ours -t ext4", "ours -t ext4 -b 1024", "ours -t ext3", "ours -t ext2",
    };

    [Theory]
    [MemberData(nameof(Makings))]
    public void A_mixed_load(string making) => MountedVolume.Use(
        making,
        v =>
        {
            if (IsReadOnlyByDesign(v))
            {
                return;
            }

            v.Run(Load);
            v.Run("sha256sum -c --quiet ../sums");
            v.Remount();
            v.Run("sha256sum -c --quiet ../sums; find . -ls > /dev/null; rm -r a dir");
        },
        "192M");

    /// <summary>What we may open for reading only (quota) is mounted so; nothing is written to it.</summary>
    private static bool IsReadOnlyByDesign(MountedVolume v) =>
        File.ReadAllLines("/proc/mounts").Any(l => l.Contains(v.Root, StringComparison.Ordinal) && l.Split(' ')[3].StartsWith("ro", StringComparison.Ordinal));
}
