namespace Penstock.Memory;

/// <summary>Who can have the host keep pages at hand for its transfers.</summary>
internal interface IMemoryRegistrar
{
    /// <summary>
    /// Keeps the pages of <paramref name="memory"/> at hand until <see cref="Unregister"/>, which comes before the memory is freed. False where that is
    /// not to be had; the memory serves as any other does, and <paramref name="reason"/> says why.
    /// </summary>
    bool TryRegister(IoSegment memory, out string reason);

    /// <summary>Takes <see cref="TryRegister"/> back. No transfer uses the memory; the registrar may be closed already.</summary>
    void Unregister(IoSegment memory);
}
