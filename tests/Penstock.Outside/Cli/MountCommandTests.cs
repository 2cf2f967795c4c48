using System.Diagnostics;
using Penstock.Outside.Fuse;
using Xunit;

namespace Penstock.Outside.Cli;

public sealed class MountCommandTests : IDisposable
{
    private readonly ScratchFolder _scratch = new();

    private string Image => _scratch["disk.img"];

    private string Mounted => _scratch["mnt"];

    public void Dispose()
    {
        PenstockProgram.TryRun("unmount", Mounted);
        _scratch.Dispose();
    }

    [FuseFact]
    public void The_readmes_first_command_works_in_an_empty_folder()
    {
        string said = PenstockProgram.Run("mount", "--create", "64M", Image, Mounted);
        Assert.Contains($"penstock unmount {Mounted}", said);
        File.WriteAllText(Path.Combine(Mounted, "text"), "hello");
        PenstockProgram.Run("unmount", Mounted);
        Assert.Empty(Directory.GetFileSystemEntries(Mounted));
        Assert.Equal("hello", PenstockProgram.Run("cat", $"{Image}:/text"));
        OutsideProgram.Run("e2fsck", "-fn", Image);

        PenstockProgram.Run("mount", "--create", "64M", Image, Mounted);
        Assert.Equal("hello", File.ReadAllText(Path.Combine(Mounted, "text")));
        PenstockProgram.Run("unmount", Mounted);
    }

    [FuseFact]
    public void A_mounted_volume_is_nobody_elses()
    {
        PenstockProgram.Run("mount", "--create", "64M", Image, Mounted);
        Assert.Contains("in use", PenstockProgram.Fail("mount", Image, _scratch["other"]));
        Assert.Contains("in use", PenstockProgram.Fail("ls", $"{Image}:/"));
        Assert.Contains("is mounted there", PenstockProgram.Fail("mount", Image, Mounted));
        PenstockProgram.Run("unmount", Mounted);
        PenstockProgram.Run("ls", $"{Image}:/");
    }

    [FuseFact]
    public void A_busy_mount_stays_and_says_so()
    {
        PenstockProgram.Run("mount", "--create", "64M", Image, Mounted);
        using (File.Create(Path.Combine(Mounted, "open")))
        {
            Assert.Contains("open", PenstockProgram.Fail("unmount", Mounted));
            Assert.True(File.Exists(Path.Combine(Mounted, "open")));
        }

        PenstockProgram.Run("unmount", Mounted);
    }

    [FuseFact]
    public void What_is_not_mounted_cannot_be_unmounted()
    {
        Directory.CreateDirectory(Mounted);
        Assert.Contains("no volume is mounted there", PenstockProgram.Fail("unmount", Mounted));
    }

    [FuseFact]
    public void A_failure_of_the_background_process_is_told_in_one_line()
    {
        _scratch.MakeImage("disk.img", 1 << 20);
        string said = PenstockProgram.Fail("mount", Image, Mounted);
        Assert.Contains(Image, said);
        Assert.StartsWith("penstock mount: ", said);
    }

    [FuseFact]
    public void A_read_only_mount_writes_nothing()
    {
        PenstockProgram.Run("mkfs", "-q", Image, "16M");
        byte[] before = File.ReadAllBytes(Image);
        PenstockProgram.Run("mount", "--read-only", Image, Mounted);
        Assert.Throws<IOException>(() => File.WriteAllText(Path.Combine(Mounted, "text"), "hello"));
        PenstockProgram.Run("unmount", Mounted);
        Assert.Equal(before, File.ReadAllBytes(Image));
    }

    [FuseFact]
    public void What_can_only_be_read_is_mounted_so_and_the_reason_said()
    {
        PenstockProgram.Run("mkfs", "-q", "-O", "^metadata_csum", Image, "16M");
        using (FileStream file = File.OpenWrite(Image))
        {
            file.Position = 1024 + 0x3A; // s_state: with errors
            file.WriteByte(2);
        }

        string said = PenstockProgram.Run("mount", Image, Mounted);
        Assert.Contains("mounted for reading only: errors were found on the volume; run e2fsck", said);
        Assert.Throws<IOException>(() => File.WriteAllText(Path.Combine(Mounted, "text"), "hello"));
        PenstockProgram.Run("unmount", Mounted);
    }

    [FuseFact]
    public void A_project_is_set_and_listed_on_the_mount()
    {
        PenstockProgram.Run("mkfs", "-q", "-O", "project", Image, "16M");
        PenstockProgram.Run("mount", Image, Mounted);
        string folder = Path.Combine(Mounted, "tree");
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(Mounted, "outside"), "x");
        OutsideProgram.Run("chattr", "-p", "42", "+P", folder);
        File.WriteAllText(Path.Combine(folder, "inside"), "x");
        Assert.Matches(@"^ *42 .* " + folder, OutsideProgram.Run("lsattr", "-pd", folder));
        Assert.Matches(@"^ *42 ", OutsideProgram.Run("lsattr", "-p", Path.Combine(folder, "inside")));
        Assert.NotEqual(0, OutsideProgram.TryRun("ln", Path.Combine(Mounted, "outside"), Path.Combine(folder, "link")).ExitCode);
        OutsideProgram.Run("mv", Path.Combine(Mounted, "outside"), Path.Combine(folder, "copied"));
        Assert.Matches(@"^ *42 ", OutsideProgram.Run("lsattr", "-p", Path.Combine(folder, "copied")));
        PenstockProgram.Run("unmount", Mounted);
        OutsideProgram.Run("e2fsck", "-fn", Image);
    }

    [FuseFact]
    public void A_signal_writes_everything_back()
    {
        PenstockProgram.Run("mkfs", "-q", Image, "16M");
        Directory.CreateDirectory(Mounted);
        var start = new ProcessStartInfo(PenstockProgram.Path, ["mount", "--foreground", Image, Mounted]) { RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Assert.Contains("is mounted", process.StandardError.ReadLine());
        File.WriteAllText(Path.Combine(Mounted, "text"), "hello");
        OutsideProgram.Run("kill", "-TERM", process.Id.ToString());
        Assert.True(process.WaitForExit(TimeSpan.FromSeconds(30)));
        Assert.Equal(0, process.ExitCode);
        Assert.Equal("hello", PenstockProgram.Run("cat", $"{Image}:/text"));
        OutsideProgram.Run("e2fsck", "-fn", Image);
    }

    [FuseFact]
    public void Whoever_takes_the_mount_off_all_is_written()
    {
        PenstockProgram.Run("mount", "--create", "64M", Image, Mounted);
        File.WriteAllText(Path.Combine(Mounted, "text"), "hello");
        OutsideProgram.Run("umount", Mounted);

        // The process may still be writing: until it has released the volume, nobody gets it.
        (int ExitCode, string Output) read = (1, string.Empty);
        for (int i = 0; i < 100 && read.ExitCode != 0; i++)
        {
            Thread.Sleep(50);
            read = PenstockProgram.TryRun("cat", $"{Image}:/text");
        }

        Assert.Equal((0, "hello"), read);
        OutsideProgram.Run("e2fsck", "-fn", Image);
    }
}
