namespace Penstock.Caching;

/// <summary>The cached pages of one file.</summary>
internal sealed class FilePages
{
}
