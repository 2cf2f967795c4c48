namespace Penstock.Devices;

/// <summary>A device that can be written, seen through a face that cannot: not one byte reaches the inner one, not even a flush.</summary>
internal class ReadOnlyDevice(BlockDevice inner) : ForwardingDevice(inner.Name, inner)
{
    public override string Description => $"{Inner.Description}, read-only";

    public override bool IsReadOnly => true;

    public override bool CanDiscard => false;

    protected override void SubmitChecked(DeviceRequest request)
    {
        if (request.Operation == DeviceOperation.Flush)
        {
            CompleteLater(request, IoFault.None);
        }
        else
        {
            Forward(request, shift: 0);
        }
    }
}
