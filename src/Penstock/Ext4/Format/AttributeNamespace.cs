namespace Penstock.Ext4.Format;

/// <summary>e_name_index: the prefix of an attribute's name, which is not stored with it.</summary>
internal enum AttributeNamespace : byte
{
    None = 0,
    User = 1,
    PosixAclAccess = 2,
    PosixAclDefault = 3,
    Trusted = 4,
    Lustre = 5,
    Security = 6,
    System = 7,
    RichAcl = 8,
    Encryption = 9,
    Hurd = 10,
}
