namespace Penstock.Caching;

/// <summary>The cached pages of all files of this process, under one budget.</summary>
internal sealed class PageCache
{
}
