using Penstock.Stress.AioStress;
using Penstock.Stress.Targets;
using Xunit;

namespace Penstock.Tests.Stress;

/// <summary>Every block is verified: what a faulty file gets wrong is found, and what a sound one gets right is not.</summary>
public sealed class AioStressTests
{
    private static readonly AioOptions s_options = new() { Size = 1 << 20, RequestSize = 8192, Depth = 8, Batch = 3 };

    [Theory]
    [InlineData(PlantedBug.LostPage)]
    [InlineData(PlantedBug.DirectWriteLeavesCache, false)]
    [InlineData(PlantedBug.LostInFlight)]
    public void A_planted_bug_is_found(PlantedBug bug, bool isDirect = true)
    {
        using var folder = new FaultyFolder(bug);
        AioOptions options = s_options with { IsDirect = isDirect };
        if (bug == PlantedBug.DirectWriteLeavesCache)
        {
            // Written past the cache, read through it.
            using var mixed = new MixedFolder(folder);
            Assert.Throws<AioCorruptionException>(() => Run(mixed, options));
        }
        else
        {
            Assert.Throws<AioCorruptionException>(() => Run(folder, options));
        }

        Assert.Empty(folder.FileNames);
    }

    [Theory]
    [InlineData(1, 1, false)]
    [InlineData(3, 2, false)]
    [InlineData(2, 3, true)]
    public void A_sound_target_passes_and_every_block_is_verified(int files, int threads, bool sharesContext)
    {
        using var folder = new FaultyFolder(PlantedBug.None);
        IReadOnlyList<StageResult> results = Run(folder, s_options with { Files = files, Threads = threads, SharesContext = sharesContext });
        int blocks = Math.Max(files, threads) * (int)(s_options.Size / s_options.RequestSize);
        Assert.Equal([0, blocks, 0, blocks], results.Select(r => (int)r.Verified));
        Assert.All(results, r => Assert.Equal(blocks, r.Requests));
        Assert.All(results, r => Assert.True(r.Microseconds(50) <= r.Microseconds(100)));
        Assert.Empty(folder.FileNames);
    }

    [Fact]
    public void A_read_stage_alone_has_something_to_read()
    {
        using var folder = new FaultyFolder(PlantedBug.None);
        StageResult result = Assert.Single(Run(folder, s_options with { Stages = [AioStage.RandomRead] }));
        Assert.Equal(128, result.Verified);
    }

    private static IReadOnlyList<StageResult> Run(StressFolder folder, AioOptions options) =>
        new AioRun(folder, options, new AioProgress(CancellationToken.None)).Run(_ => { });

    /// <summary>Writes are direct, whatever is asked.</summary>
    private sealed class MixedFolder(FaultyFolder inner) : StressFolder
    {
        public override string Name => inner.Name;

        public override string Description => inner.Description;

        public override int BlockSize => inner.BlockSize;

        public override string FilePrefix => inner.FilePrefix;

        public override string QueueDescription => inner.QueueDescription;

        public override StressFile Open(string name, bool isNew) => inner.Open(name, isNew);

        public override void Delete(string name) => inner.Delete(name);

        public override TransferQueue CreateQueue(int depth) => new Queue(inner.CreateQueue(depth));

        public override int GetDirectAlignment(StressFile file) => inner.GetDirectAlignment(file);

        protected override void Dispose(bool isDisposing)
        {
        }

        private sealed class Queue(TransferQueue queue) : TransferQueue
        {
            public override void Add(int slot, in Transfer transfer) =>
                queue.Add(slot, transfer.IsWrite ? transfer with { Modes = TransferModes.Direct } : transfer);

            public override void Submit() => queue.Submit();

            public override int Take(out IoResult result) => queue.Take(out result);

            protected override void Dispose(bool isDisposing) => queue.Dispose();
        }
    }
}
