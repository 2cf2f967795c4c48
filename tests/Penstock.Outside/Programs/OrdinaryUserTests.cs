using System.Globalization;
using Xunit;

namespace Penstock.Outside.Programs;

/// <summary>Somebody who is not root makes a volume, mounts it through fusermount3, works in it and unmounts it.</summary>
public sealed class OrdinaryUserTests : IDisposable
{
    private const int CannotRun = 77;
    private const uint Nobody = 65534;

    /// <summary>
    /// As root: a /dev/fuse that everybody may open, as distributions have it, in a mount namespace of its own, and then the script as somebody else. The mounts
    /// of that namespace end with it.
    /// </summary>
    private const string BecomeSomebody = """
        cannot() { echo "$1"; exit 77; }
        mount -t tmpfs none dev 2> /dev/null && mknod -m 666 dev/fuse c 10 229 2> /dev/null && mount --bind dev/fuse /dev/fuse || cannot "no device node can be made here"
        chown 65534:65534 home
        cd home
        somebody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
        somebody true || cannot "no other user can be taken here"
        somebody "$penstock" --version > /dev/null 2>&1 || cannot "another user cannot start the program: the runtime is out of reach"
        export -f refused
        somebody bash -eux -o pipefail -c "$script"
        """;

    private const string Work = """
        export XDG_RUNTIME_DIR=
        "$penstock" mount --create 64M volume.img mnt > said; grep -q 'is mounted on' said
        grep " $PWD/mnt " /proc/mounts > said; grep -q "fuse.penstock rw,nosuid,nodev,.*user_id=$(id -u)," said
        mkdir -p mnt/a/b; head -c 3000000 /dev/urandom > data; cp data mnt/a/data; cmp data mnt/a/data
        dd if=data of=mnt/a/direct bs=64k count=20 oflag=direct status=none; cmp -n 1310720 data mnt/a/direct
        test "$(stat -c %u mnt/a/data)" = "$(id -u)"
        chmod 600 mnt/a/data; mv mnt/a/data mnt/a/b/; ln -s b/data mnt/a/link; cmp data mnt/a/link
        refused mknod mnt/null c 1 3; refused chown 0 mnt/a/direct
        refused "$penstock" mount volume.img other 2> said; grep -q 'in use' said
        exec 5> mnt/open; refused "$penstock" unmount mnt 2> said; grep -q 'open' said; exec 5>&-
        "$penstock" unmount mnt; refused grep " $PWD/mnt " /proc/mounts
        e2fsck -fn volume.img
        "$penstock" mount --read-only volume.img mnt; cmp data mnt/a/b/data; refused touch mnt/new
        fusermount3 -u mnt
        for i in $(seq 100); do if "$penstock" cat volume.img:/a/b/data > read; then break; fi; sleep 0.1; done; cmp data read
        "$penstock" mount volume.img mnt; echo more > mnt/more
        kill -9 $(pgrep -u "$(id -u)" -f "mount .*$PWD/mnt")
        for i in $(seq 100); do if ! ls mnt; then break; fi; sleep 0.1; done; refused ls mnt
        refused "$penstock" unmount mnt 2> said; grep -q 'has been taken off' said
        "$penstock" mount volume.img mnt; cmp data mnt/a/b/data; "$penstock" unmount mnt
        e2fsck -fn volume.img
        refused "$penstock" mount volume.img /usr 2> said; test "$(grep -vc '^+' said)" = 1; grep -q 'no write access' said
        """;

    private readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void Somebody_who_is_not_root_mounts_through_fusermount3()
    {
        Assert.SkipUnless(File.Exists("/dev/fuse"), "no /dev/fuse here");
        Needs.Tools("fusermount3", "setpriv", "unshare", "pgrep", "e2fsck");
        Directory.CreateDirectory(_scratch["home"]);
        Directory.CreateDirectory(_scratch["dev"]);
        (int code, string output) = Environment.UserName == "root" ? RunAsSomebody() : RunAsMyself();
        Assert.SkipWhen(code == CannotRun, output);
        Assert.True(code == 0, $"the script returned {code}:\n{output}");
    }

    private static string Quote(string text) => $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    private (int ExitCode, string Output) RunAsSomebody()
    {
        // The repository may lie where only root may go.
        Script.Run(_scratch.Root, $"chmod 755 .; cp -r {Quote(AppContext.BaseDirectory)} program; chmod -R a+rX program");
        string variables = string.Create(CultureInfo.InvariantCulture, $"export penstock={Quote(_scratch["program/Penstock.Cli"])} script={Quote(Work)}");
        (int code, string output) = Script.TryRun(_scratch.Root, $"{variables}\nexport -f refused\nunshare -m true || {{ echo 'no mount namespace can be made here'; exit {CannotRun}; }}\nunshare -m bash -eu -o pipefail -c {Quote(BecomeSomebody)}");
        Script.TryRun("/", $"pkill -9 -u {Nobody} -f {Quote($"mount .*{_scratch.Root}")}; rm -rf /tmp/penstock-{Nobody}");
        return (code, output);
    }

    private (int ExitCode, string Output) RunAsMyself()
    {
        Assert.SkipUnless(CanOpenFuse(), "/dev/fuse may not be opened by this user");
        return Script.TryRun(_scratch["home"], $"export penstock={Quote(Path.Combine(AppContext.BaseDirectory, "Penstock.Cli"))}\nset -x\n{Work}");
    }

    private static bool CanOpenFuse()
    {
        try
        {
            using FileStream device = new("/dev/fuse", FileMode.Open, FileAccess.ReadWrite);
            return true;
        }
        catch (UnauthorizedAccessException)
        {
            return false;
        }
    }
}
