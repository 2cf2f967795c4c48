using Xunit;

namespace Penstock.Outside.Fuse;

/// <summary>
/// Has the kernel offer FUSE over io_uring while there is one of these. The switch is the whole machine's: mounts that others make meanwhile get the offer too,
/// and lose it again if the switch goes off before they answer; neither does them harm. Whoever uses one is in <see cref="Users"/>, so that one test at a time has it.
/// </summary>
internal sealed class RingSwitch : IDisposable
{
    public const string Users = "users of the switch of FUSE over io_uring";

    private const string Parameter = "/sys/module/fuse/parameters/enable_uring";

    private readonly string _before = "";

    public RingSwitch()
    {
        try
        {
            _before = File.ReadAllText(Parameter);
            File.WriteAllText(Parameter, "Y");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Assert.Skip($"FUSE over io_uring cannot be switched on here: {e.Message}");
        }
    }

    /// <summary>Off again before the end.</summary>
    public void TurnOff() => File.WriteAllText(Parameter, "N");

    public void Dispose() => File.WriteAllText(Parameter, _before);
}
