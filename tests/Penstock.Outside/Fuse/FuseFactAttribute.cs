using System.Runtime.CompilerServices;
using Xunit;

namespace Penstock.Outside.Fuse;

/// <summary>A test that mounts: skipped, and said so, where this machine cannot.</summary>
internal sealed class FuseFactAttribute : FactAttribute
{
    public FuseFactAttribute(
        bool needsFusermount = false, [CallerFilePath] string? path = null, [CallerLineNumber] int line = -1)
        : base(path, line)
    {
        if (!File.Exists("/dev/fuse"))
        {
            Skip = "no /dev/fuse here";
        }
        else if (Environment.UserName != "root")
        {
            Skip = "mounting directly needs root";
        }
        else if (needsFusermount && !File.Exists("/usr/bin/fusermount3") && !File.Exists("/bin/fusermount3"))
        {
            Skip = "no fusermount3 here (package fuse3)";
        }
    }
}
