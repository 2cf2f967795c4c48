namespace Penstock.Caching;

/// <summary>A page that was asked for, fresh and with one pin; or why there is none.</summary>
internal readonly record struct PageGrant(CachePage? Page, IoFault Fault);
