using Penstock.Tests.Uring;
using Xunit;

namespace Penstock.Tests.Files;

/// <summary>Extended attributes by the public face: an empty value is a value, and null is none, whatever the type it has.</summary>
public sealed class VolumeAttributeTests : IDisposable
{
    private const string Name = "user.note";

    private readonly TemporaryFile _image = new(32 << 20);

    public void Dispose() => _image.Dispose();

    [Fact]
    public async Task An_empty_value_is_there()
    {
        await using Volume volume = await MakeAsync();
        await volume.SetAttributeAsync("/", Name, Array.Empty<byte>());
        Assert.Empty((await volume.GetAttributeAsync("/", Name))!);
        await volume.SetAttributeAsync("/", Name, ReadOnlyMemory<byte>.Empty);
        Assert.Equal([Name], await volume.ListAttributesAsync("/"));
    }

    [Fact]
    public async Task A_null_array_removes_as_null_does()
    {
        await using Volume volume = await MakeAsync();
        byte[]? none = null;
        await volume.SetAttributeAsync("/", Name, new byte[3]);
        await volume.SetAttributeAsync("/", Name, none);
        Assert.Null(await volume.GetAttributeAsync("/", Name));
        Assert.Empty(await volume.ListAttributesAsync("/"));
        await volume.SetAttributeAsync("/", Name, new byte[3]);
        await volume.SetAttributeAsync("/", Name, null);
        Assert.Null(await volume.GetAttributeAsync("/", Name));
        FileSystemException e = await Assert.ThrowsAsync<FileSystemException>(async () => await volume.SetAttributeAsync("/", Name, none));
        Assert.Equal(IoFault.NoAttribute, e.Fault);
    }

    private async Task<Volume> MakeAsync()
    {
        await Volume.MakeAsync(_image.Path, new MakingOptions());
        return await Volume.OpenAsync(_image.Path);
    }
}
