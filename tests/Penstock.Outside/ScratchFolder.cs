namespace Penstock.Outside;

/// <summary>A folder of a test's own, gone with it.</summary>
internal sealed class ScratchFolder : IDisposable
{
    public string Root { get; } = Directory.CreateTempSubdirectory("penstock-").FullName;

    public string this[string name] => Path.Combine(Root, name);

    /// <summary>Makes a sparse file.</summary>
    public string MakeImage(string name, long length)
    {
        string path = this[name];
        using FileStream file = File.Create(path);
        file.SetLength(length);
        return path;
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
