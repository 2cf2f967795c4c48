using Penstock.Files;
using Penstock.Fuse;
using Xunit;

namespace Penstock.Outside.Fuse;

/// <summary>Names and attributes through the kernel.</summary>
public sealed class MountedNamesTests
{
    [FuseFact]
    public async Task Directories_are_made_listed_and_removed()
    {
        await using MountedTree mounted = await MountedTree.StartAsync();
        mounted.Run("mkdir a a/b && mkdir -p c/d/e");
        Assert.Equal("a\nc\n", mounted.Run("ls"));
        Assert.Equal("3 2 drwxr-xr-x\n", mounted.Run("stat -c '%h' a | tr '\\n' ' '; stat -c '%h %A' a/b"));
        mounted.Fails("rmdir a", "not empty");
        mounted.Fails("rmdir absent", "No such file");
        mounted.Run("rmdir a/b a && rm -r c");
        Assert.Equal("", mounted.Run("ls"));
        Assert.Equal(1, mounted.Tree.NodeCount);
    }

    [FuseFact]
    public async Task A_directory_of_thousands_lists_each_name_once()
    {
        await using MountedTree mounted = await MountedTree.StartAsync();
        mounted.Run("mkdir many && cd many && seq 1 3000 | sed s/^/a-rather-long-name-for-an-entry-/ | xargs mkdir");
        Assert.Equal("3000\n", mounted.Run("ls many | sort -u | wc -l"));
        Assert.Equal("3000\n", mounted.Run("ls -l many | grep -c ^d"));
        Assert.Equal("3002\n", mounted.Run("ls -fa many | wc -l"));
        mounted.Run("rm -r many");
        Assert.Equal(1, mounted.Tree.NodeCount);
    }

    [FuseFact]
    public async Task Links_lead_where_they_lead()
    {
        await using MountedTree mounted = await MountedTree.StartAsync();
        mounted.Run("ln -s target/of/it link && mkfifo pipe && ln pipe other");
        Assert.Equal("target/of/it\n", mounted.Run("readlink link"));
        Assert.Equal("12 symbolic link\n", mounted.Run("stat -c '%s %F' link"));
        Assert.Equal("2\n", mounted.Run("stat -c %h pipe"));
        Assert.Equal(mounted.Run("stat -c %i pipe"), mounted.Run("stat -c %i other"));
        mounted.Fails("ln pipe other", "File exists");
        mounted.Run("rm pipe");
        Assert.Equal("1 fifo\n", mounted.Run("stat -c '%h %F' other"));
    }

    [FuseFact]
    public async Task Renames_replace_refuse_and_exchange()
    {
        await using MountedTree mounted = await MountedTree.StartAsync();
        mounted.Run("mkdir d e && mkfifo a && ln -s x b && mv -T a b");
        Assert.Equal("fifo\n", mounted.Run("stat -c %F b"));
        mounted.Fails("python3 -c \"import os; os.rename('d', 'd/in')\"", "Invalid argument");
        mounted.Run("mv d e/ && ls e/d && mv e/d f");
        Assert.Equal("b\ne\nf\n", mounted.Run("ls"));
        mounted.Run("mkdir f/sub");
        mounted.Run("python3 -c \"import ctypes; l=ctypes.CDLL(None); exit(l.renameat2(-100, b'b', -100, b'f', 2))\"");
        Assert.Equal("sub\n", mounted.Run("ls b"));
        Assert.Equal("fifo\n", mounted.Run("stat -c %F f"));
        mounted.Run("python3 -c \"import ctypes; l=ctypes.CDLL(None,use_errno=True); exit(l.renameat2(-100, b'b', -100, b'e', 1) == 0 or ctypes.get_errno() != 17)\"");
    }

    [FuseFact]
    public async Task Owners_modes_and_times_are_set_and_shown()
    {
        await using MountedTree mounted = await MountedTree.StartAsync();
        mounted.Run("mkfifo f && chmod 640 f && chown 12:34 f && touch -d '2040-02-03 04:05:06.123456789' f");
        Assert.Equal("640 12 34 2040-02-03 04:05:06.123456789 +0000\n", mounted.Run("stat -c '%a %u %g %y' f"));
        mounted.Run("touch -d '1960-01-01 00:00:00.5' f");
        Assert.Equal("1960-01-01 00:00:00.500000000 +0000\n", mounted.Run("stat -c %y f"));
        Assert.NotEqual("-\n", mounted.Run("stat -c %w f"));
        mounted.Run("chmod 6755 f && chown 1 f");
        Assert.Equal("755\n", mounted.Run("stat -c %a f"));
        mounted.Run("mknod dev c 300 70000");
        Assert.Equal("12c 11170\n", mounted.Run("stat -c '%t %T' dev"));
    }

    [FuseFact]
    public async Task Group_and_umask_are_inherited_as_Linux_does()
    {
        await using MountedTree mounted = await MountedTree.StartAsync();
        mounted.Run("mkdir d && chgrp 77 d && chmod 2777 d && umask 027 && mkdir d/sub && mkfifo d/pipe");
        Assert.Equal("77 2750\n77 640\n", mounted.Run("stat -c '%g %a' d/sub d/pipe"));
    }

    [FuseFact]
    public async Task Extended_attributes_and_ACLs_work()
    {
        await using MountedTree mounted = await MountedTree.StartAsync();
        mounted.Run("mkdir d && python3 -c \"import os; os.setxattr('d','user.a',b'value'); os.setxattr('d','trusted.t',b'x'); " +
            "assert os.getxattr('d','user.a')==b'value'; assert sorted(os.listxattr('d'))==['trusted.t','user.a']; os.removexattr('d','user.a')\"");
        mounted.Fails("python3 -c \"import os; os.getxattr('d','user.a')\"", "No data available");

        // u::rwx u:1000:rwx g::--- m::r-x o::---, then chmod 770 makes the mask rwx.
        const string Acl = "bytes.fromhex('02000000'+'01000700ffffffff'+'02000700e8030000'+'04000000ffffffff'+'10000500ffffffff'+'20000000ffffffff')";
        mounted.Run($"python3 -c \"import os; os.setxattr('d','system.posix_acl_access',{Acl})\"");
        Assert.Equal("750\n", mounted.Run("stat -c %a d"));
        mounted.Run("setpriv --reuid 1000 --clear-groups ls d");
        mounted.Fails("setpriv --reuid 1001 --clear-groups ls d", "Permission denied");
        mounted.Run("chmod 770 d && setpriv --reuid 1000 --clear-groups mkdir d/sub");
        mounted.Run($"python3 -c \"import os; os.setxattr('d','system.posix_acl_default',{Acl})\" && umask 0 && mkfifo d/pipe");
        Assert.Equal("640\n", mounted.Run("stat -c %a d/pipe"));
    }

    [FuseFact]
    public async Task Inode_flags_are_shown_set_and_enforced()
    {
        await using MountedTree mounted = await MountedTree.StartAsync();
        mounted.Run("mkdir d && chattr +i d");
        Assert.Contains("i", mounted.Run("lsattr -d d").Split(' ')[0], StringComparison.Ordinal);
        mounted.Fails("mkdir d/sub", "Operation not permitted");
        mounted.Fails("chmod 700 d", "Operation not permitted");
        mounted.Fails("touch d", "Operation not permitted");
        mounted.Run("chattr -i d && mkdir d/sub");
    }

    [FuseFact]
    public async Task Errors_of_the_volume_reach_the_program()
    {
        await using MountedTree mounted = await MountedTree.StartAsync();
        mounted.Tree.NameFault = () => IoFault.NoSpace;
        mounted.Fails("mkdir d", "No space left on device");
        mounted.Tree.NameFault = () => IoFault.Corrupt;
        mounted.Fails("mkdir d", "Structure needs cleaning");
        mounted.Tree.NameFault = null;
        mounted.Run("mkdir d");
    }

    [FuseFact]
    public async Task A_read_only_mount_refuses_changes()
    {
        await using MountedTree mounted = await MountedTree.StartAsync(new MountOptions { IsReadOnly = true });
        mounted.Fails("mkdir d", "Read-only file system");
        Assert.Contains(" ro,", Shell.Run($"grep {mounted.Directory} /proc/mounts"), StringComparison.Ordinal);
    }

    [FuseFact]
    public async Task Everything_is_let_go_after_a_foreign_unmount()
    {
        await using MountedTree mounted = await MountedTree.StartAsync();
        mounted.Run("mkdir -p a/b/c d && ls -R");
        Shell.Run($"umount {mounted.Directory}");
        await mounted.Mount.Completion.WaitAsync(TimeSpan.FromSeconds(20));
        await mounted.Tree.Inodes.CloseAsync();
        Assert.Equal(0, mounted.Tree.Inodes.Count);
    }

    [FuseFact]
    public async Task A_change_beside_the_mount_is_seen_once_the_kernel_was_told()
    {
        await using MountedTree mounted = await MountedTree.StartAsync();
        mounted.Run("mkdir d && (ls made || true) && stat -c %a d");
        Assert.Equal("d\n", mounted.Run("ls"));
        var names = new Namespace(mounted.Tree);
        Inode root = await names.GetRootAsync();
        Inode d = await names.LookupAsync(root, FileName.From("d"));
        await AttributeChanges.ApplyAsync(d, new AttributeUpdate { Mode = 0x1C0 });
        await mounted.Tree.Inodes.ReleaseAsync(d);
        await mounted.Tree.Inodes.ReleaseAsync(await names.MakeAsync(
            root, FileName.From("made"), new NewNode { Mode = 0x41ED, UserId = 0, GroupId = 0 }));
        await mounted.Tree.Inodes.ReleaseAsync(root);
        Assert.Equal("755\n", mounted.Run("stat -c %a d"));
        mounted.Fails("ls made", "No such file");

        await mounted.Mount.InvalidateAsync("/d");
        await mounted.Mount.InvalidateAsync("/made");
        Assert.True(SpinWait.SpinUntil(() => Shell.Try($"ls {mounted.Directory}/made").Code == 0, TimeSpan.FromSeconds(20)));
        Assert.Equal("d\nmade\n", mounted.Run("ls"));
        Assert.Equal("700\n", mounted.Run("stat -c %a d"));
    }
}
