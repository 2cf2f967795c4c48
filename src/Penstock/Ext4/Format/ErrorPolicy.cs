namespace Penstock.Ext4.Format;

/// <summary>s_errors: what is to be done when damage is met.</summary>
internal enum ErrorPolicy : ushort
{
    Continue = 1,
    ReadOnly = 2,
    Panic = 3,
}
