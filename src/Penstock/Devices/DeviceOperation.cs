namespace Penstock.Devices;

/// <summary>What a <see cref="DeviceRequest"/> asks for.</summary>
internal enum DeviceOperation : byte
{
    None,

    /// <summary>Read into the segments.</summary>
    Read,

    /// <summary>Write from the segments.</summary>
    Write,

    /// <summary>Write from the segments and complete only when they are on stable storage (force unit access).</summary>
    WriteThrough,

    /// <summary>Bring every write that has completed to stable storage.</summary>
    Flush,

    /// <summary>The range's content is no longer needed; what it reads as afterwards is not defined.</summary>
    Discard,

    /// <summary>The range reads as zeros afterwards; storage may be given back.</summary>
    WriteZeroes,
}
