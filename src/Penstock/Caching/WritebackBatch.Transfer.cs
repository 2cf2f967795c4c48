using System.Runtime.CompilerServices;
using Penstock.Devices;
using Penstock.Execution;
using Penstock.Journal;
using Penstock.Locking;
using Penstock.Mapping;
using Penstock.Memory;

namespace Penstock.Caching;

/// <content>Steps 3 and 4: to the device, and what follows.</content>
internal sealed partial class WritebackBatch
{
    /// <summary>Step 3. The batch belongs to its completion from here on.</summary>
    private void Submit()
    {
        for (int i = 0; i < _count; i++)
        {
            _file.BeginWriteback(_pages[i]);
            _file.Unlock(_pages[i]);
        }

        _done = PooledCompletion<bool>.Rent(Scheduler);
        _outstanding = 1;
        _ = CompleteAsync(_done.Task);
        if (!_file.File.HasInlineData)
        {
            foreach (BlockRun run in _runs)
            {
                SubmitRun(run);
            }

            _file.File.Device.FlushSubmissions();
        }

        PartCompleted();
    }

    private void SubmitRun(in BlockRun run)
    {
        long position = (long)run.First.Value * BlockSize;
        long end = (long)run.End.Value * BlockSize;
        long toDevice = ((long)run.Volume.Value * BlockSize) - position;
        while (position < end)
        {
            long requestEnd = Math.Min(end, position + MaxRequestBytes);
            var request = DeviceRequest.Rent(DeviceOperation.Write, toDevice + position);
            request.SetOwner(this);
            while (position < requestEnd)
            {
                long within = position - (_first * _file.PageSize);
                int offset = (int)(within % _file.PageSize);
                int length = (int)Math.Min(_file.PageSize - offset, requestEnd - position);
                request.Append(_pages[within / _file.PageSize].Memory.Slice(offset, length));
                position += length;
            }

            Interlocked.Increment(ref _outstanding);
            _file.File.Device.Submit(request);
        }
    }

    private void PartCompleted()
    {
        if (Interlocked.Decrement(ref _outstanding) == 0)
        {
            _done!.Complete(true);
        }
    }

    /// <summary>Step 4. An operation of its own: whoever started the batch may hold other pages by now.</summary>
    private async Task CompleteAsync(ValueTask<bool> done)
    {
        using OperationScope? scope = Scheduler.Recorder?.BeginOperation("writeback completion");
        await done.ConfigureAwait(false);
        _claim?.End((IoFault)_fault);
        _claim = null;
        try
        {
            if (_file.File.HasInlineData)
            {
                await WriteInlineAsync().ConfigureAwait(false);
            }
            else if (_fault == (int)IoFault.None && _reserved is not null && HasUnwritten())
            {
                await ConvertReservedAsync().ConfigureAwait(false);
            }
        }
        catch (FileSystemException e)
        {
            NoteFault(e.Fault);
        }

        Finish();
    }

    private bool HasUnwritten()
    {
        foreach (BlockRun run in _runs)
        {
            if (run.State == MapState.Unwritten)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Rule 2.17: the data is on the device, so the blocks may be read. Waits for no room: the handle was reserved (Rule 2.18).</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder))]
    private async ValueTask ConvertReservedAsync()
    {
        Handle handle = _reserved!.Begin();
        _reserved = null;
        try
        {
            await ConvertAsync(handle).ConfigureAwait(false);
        }
        finally
        {
            handle.Stop();
        }
    }

    private async ValueTask ConvertAsync(Handle handle)
    {
        for (int i = 0; i < _runs.Count;)
        {
            // Written blocks in between stay as they are, so what is consecutive in the file goes in one piece.
            FileBlock first = _runs[i].First;
            FileBlock end = _runs[i].End;
            while (++i < _runs.Count && _runs[i].First == end)
            {
                end = _runs[i].End;
            }

            await Mapper.ConvertAsync(handle, first, end - first).ConfigureAwait(false);
        }

        await StoreSizeAsync(handle).ConfigureAwait(false);
    }

    /// <summary>With the blocks, since written blocks beyond the stored size are damage.</summary>
    private async ValueTask StoreSizeAsync(Handle handle)
    {
        if (_file.AdvanceStoredSize((_first + _count) * _file.PageSize))
        {
            await _file.File.StoreAsync(handle).ConfigureAwait(false);
        }
    }

    private async ValueTask WriteInlineAsync()
    {
        // Page 0 is all that inline content has; what is beyond it was never made dirty.
        int length = (int)Math.Min(_file.File.Size, _file.PageSize);
        byte[] content = _pages[0].Memory.Slice(0, length).Bytes.ToArray();
        await _file.File.WriteInlineAsync(content).ConfigureAwait(false);
    }

    /// <summary>Size forward, then the pages: clean, or dirty again with the error recorded once.</summary>
    private void Finish()
    {
        var fault = (IoFault)_fault;
        if (fault != IoFault.None)
        {
            _file.Errors.Record(fault);
        }
        else if (!_file.File.HasInlineData)
        {
            // What is inline was stored with its size: the file may have been made longer since.
            _file.AdvanceStoredSize((_first + _count) * _file.PageSize);
        }

        for (int i = 0; i < _count; i++)
        {
            _file.EndWriteback(_pages[i], fault == IoFault.None || Scheduler.IsBroken(Rule.FailedWritebackStaysDirty) ? 0 : _dirty[i]);
            _pages[i].Unpin();
        }

        Return();
    }
}
