using Xunit;

namespace Penstock.Outside.Fuse;

/// <summary>
/// Has the kernel offer FUSE over io_uring while there is one of these. The switch is the whole machine's: mounts that others make meanwhile get the offer too,
/// which does them no harm.
/// </summary>
internal sealed class RingSwitch : IDisposable
{
    private const string Parameter = "/sys/module/fuse/parameters/enable_uring";

    private static readonly Lock s_lock = new();
    private static int s_users;
    private static string s_before = "";

    public RingSwitch()
    {
        lock (s_lock)
        {
            if (s_users == 0)
            {
                try
                {
                    s_before = File.ReadAllText(Parameter);
                    File.WriteAllText(Parameter, "Y");
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    Assert.Skip($"FUSE over io_uring cannot be switched on here: {e.Message}");
                }
            }

            s_users++;
        }
    }

    public void Dispose()
    {
        lock (s_lock)
        {
            if (--s_users == 0)
            {
                File.WriteAllText(Parameter, s_before);
            }
        }
    }
}
