using System.Security.Cryptography;
using System.Text;
using Penstock.Cli.Host;

namespace Penstock.Cli.Mounting;

/// <summary>
/// Where the process behind a mount can be reached: a socket in a directory that only its user can enter, named after the mounted directory.
/// </summary>
internal static class ControlPlace
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const int MaxSocketPath = 107;

    /// <summary>The socket of a mount of this user; its directory exists.</summary>
    public static string Create(string mountedDirectory)
    {
        string directory = Candidates(LinuxCalls.EffectiveUserId()).First(IsUsable);
        Directory.CreateDirectory(directory, Private);
        if (new HostOwner(directory) is var owner && (owner.UserId != LinuxCalls.EffectiveUserId() || owner.IsOpenToOthers))
        {
            throw new IOException($"{directory}: belongs to somebody else or is open to others; remove it");
        }

        return Path.Combine(directory, Name(mountedDirectory));
    }

    /// <summary>Where the socket of a mount may be: of this user, or, for root, of the one who mounted it.</summary>
    public static IEnumerable<string> Find(string mountedDirectory, uint? owner)
    {
        uint user = LinuxCalls.EffectiveUserId();
        IEnumerable<string> directories = Candidates(user);
        if (owner is { } other && other != user)
        {
            directories = directories.Concat(Candidates(other));
        }

        return directories.Select(d => Path.Combine(d, Name(mountedDirectory))).Where(File.Exists);
    }

    private static IEnumerable<string> Candidates(uint user)
    {
        if (user == 0)
        {
            yield return "/run/penstock";
        }

        if (user == LinuxCalls.EffectiveUserId() && Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR") is { Length: > 0 and < 60 } runtime)
        {
            yield return Path.Combine(runtime, "penstock");
        }

        yield return $"/run/user/{user}/penstock";
        yield return $"/tmp/penstock-{user}";
    }

    private static bool IsUsable(string directory)
    {
        string parent = Path.GetDirectoryName(directory)!;
        return directory.Length < MaxSocketPath - 40 && Directory.Exists(parent) && LinuxCalls.MayWrite(parent);
    }

    private static string Name(string mountedDirectory) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(mountedDirectory))[..12]) + ".sock";

    private readonly struct HostOwner
    {
        public HostOwner(string path)
        {
            IsOpenToOthers = LinuxCalls.GetStatus(path, followLink: false, out HostStatus status) != 0
                || (status.Mode & 0xF03F) != 0x4000;
            UserId = status.UserId;
        }

        public uint UserId { get; }

        public bool IsOpenToOthers { get; }
    }
}
