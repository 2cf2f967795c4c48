namespace Penstock.Journal;

/// <summary>A metadata block opened for a change by <see cref="Handle.Edit"/>; a ref struct, so that no await fits in between.</summary>
internal readonly ref struct BlockEdit
{
    private readonly MetadataBlock _block;

    internal BlockEdit(MetadataBlock block)
    {
        _block = block;
        Bytes = block.LatchForEdit();
    }

    /// <summary>The bytes of the block, to be changed in place. Checksums inside the block are the editor's to make right.</summary>
    public Span<byte> Bytes { get; }

    public void Dispose() => _block.UnlatchAfterEdit();
}
