using Penstock.Uring;
using Xunit;

namespace Penstock.Tests.Uring;

/// <summary>A host file of a given length that is gone after the test.</summary>
internal sealed class TemporaryFile : IDisposable
{
    public TemporaryFile(long length = 0)
    {
        Path = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"penstock-test-{Guid.NewGuid():N}");
        using FileStream stream = File.Create(Path);
        stream.SetLength(length);
    }

    public string Path { get; }

    public HostFile Open(HostOpenFlags flags)
    {
        HostFile? file = HostFile.Open(Path, flags, out Errno error);
        Assert.Equal(Errno.None, error);
        return Assert.IsType<HostFile>(file);
    }

    public void Dispose() => File.Delete(Path);
}
