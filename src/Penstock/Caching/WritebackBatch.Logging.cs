using System.Numerics;
using System.Runtime.CompilerServices;
using Penstock.Execution;
using Penstock.Mapping;

namespace Penstock.Caching;

/// <content>Instead of steps 3 and 4, where the file's data goes through the log: all in the handle that has allocated the blocks.</content>
internal sealed partial class WritebackBatch
{
    private static bool GoesToLog(FilePages file) => file.File.JournalsData && !file.File.HasInlineData && !file.File.Scheduler.IsBroken(Rule.DataGoesThroughLog);

    /// <summary>Puts into the transaction what makes the blocks content: that they are written, and the size.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder))]
    private async ValueTask EndLoggingAsync()
    {
        if (_count == 0)
        {
            return;
        }

        if (HasUnwritten())
        {
            await ConvertAsync(_handle!).ConfigureAwait(false);
        }
        else
        {
            await StoreSizeAsync(_handle!).ConfigureAwait(false);
        }

        _isInLog = true;
    }

    /// <summary>
    /// Puts the dirty blocks of a run into the transaction as soon as they are mapped, so that no block is the file's without its content, whatever fails after it. The pages
    /// are locked: what goes there is whole.
    /// </summary>
    private void LogRun(in BlockRun run)
    {
        for (FileBlock block = run.First; block < run.End; block += 1)
        {
            (CachePage page, int bit) = Locate(block);
            if ((page.DirtyBlocks >> bit & 1) != 0)
            {
                _keptCredits--;
                _handle!.PutData(run.Volume + (block - run.First), page.Memory.Slice(bit * BlockSize, BlockSize).Bytes);
            }
        }
    }

    /// <summary>The handle has stopped: from here on a commit takes care of the data.</summary>
    private void EndLogged()
    {
        for (int i = 0; i < _count; i++)
        {
            _file.BeginWriteback(_pages[i]);
            _file.Unlock(_pages[i]);
        }

        Finish();
    }
}
