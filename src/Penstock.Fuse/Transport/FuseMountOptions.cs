using System.Globalization;
using System.Text;

namespace Penstock.Fuse.Transport;

/// <summary>How the file system is attached to a directory.</summary>
internal sealed record FuseMountOptions
{
    /// <summary>What the mount table shows as the source: the volume's name.</summary>
    public string Source { get; init; } = "penstock";

    /// <summary>Shown after "fuse." as the type.</summary>
    public string Subtype { get; init; } = "penstock";

    public bool IsReadOnly { get; init; }

    /// <summary>Lets other users in; always so for root.</summary>
    public bool AllowsOtherUsers { get; init; }

    /// <summary>The kernel checks modes and ACLs. Off only for tests of a bare session.</summary>
    public bool ChecksPermissions { get; init; } = true;

    /// <summary>Honours setuid programs and device nodes on the volume; only root may ask for it. Off, since a volume can come from anywhere.</summary>
    public bool TrustsVolume { get; init; }

    /// <summary>The largest READ in bytes.</summary>
    public int MaxRead { get; init; } = 1024 * 1024;

    /// <summary>Mounts through fusermount3 even as root; for tests.</summary>
    public bool UsesFusermount { get; init; }

    /// <summary>The options of mount(2) itself.</summary>
    public string ForKernel(int device, uint uid, uint gid)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"fd={device},rootmode=40000,user_id={uid},group_id={gid}");
        AppendCommon(text);
        return text.ToString();
    }

    /// <summary>The -o options of fusermount3, which fills in the rest.</summary>
    public string ForFusermount()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"fsname={Escape(Source)},subtype={Escape(Subtype)},");
        text.Append(IsReadOnly ? "ro" : "rw").Append(TrustsVolume ? ",suid,dev" : ",nosuid,nodev");
        AppendCommon(text);
        return text.ToString();
    }

    private static string Escape(string value) =>
        value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace(",", "\\,", StringComparison.Ordinal);

    private void AppendCommon(StringBuilder text)
    {
        if (ChecksPermissions)
        {
            text.Append(",default_permissions");
        }

        if (AllowsOtherUsers)
        {
            text.Append(",allow_other");
        }

        text.Append(CultureInfo.InvariantCulture, $",max_read={MaxRead}");
    }
}
