namespace Penstock.Ext4.Format;

/// <summary>Whose use a quota file counts; the value is the index of its magic number.</summary>
internal enum QuotaKind
{
    User = 0,
    Group = 1,
    Project = 2,
}
