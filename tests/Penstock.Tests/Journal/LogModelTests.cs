using System.Buffers.Binary;
using Penstock.Devices;
using Penstock.Execution;
using Penstock.Journal;
using Penstock.Journal.Format;
using Penstock.Mapping;
using Penstock.Testing.Devices;
using Xunit;

namespace Penstock.Tests.Journal;

/// <summary>
/// Many actors change pairs of blocks, free them, make file data of them, and commit, in an order drawn from a seed. Again and again the power is lost: of what no
/// flush has covered any sectors survive. After recovery both blocks of a pair are of one change, what was committed is there, and data is what its file wrote.
/// </summary>
public sealed class LogModelTests
{
    private const int Actors = 4;
    private const int Steps = 40;
    private const int Pairs = 10;
    private const int Blocks = 2 * Pairs;
    private const int HeaderBytes = 16;

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, true)]
    [InlineData(3, false)]
    [InlineData(4, true)]
    public void After_any_loss_of_power_every_change_is_whole_and_what_was_committed_is_there(int group, bool hasChecksums)
    {
        for (int seed = group * 100; seed < (group * 100) + 12; seed++)
        {
            new Run(seed, Rule.None, hasChecksums).Execute();
        }
    }

    [Theory]
    [InlineData(nameof(Rule.FreedBlocksWaitForCommit))]
    [InlineData(nameof(Rule.LogBeforeCommitBlock))]
    [InlineData(nameof(Rule.FlushBeforeCommitBlock))]
    [InlineData(nameof(Rule.CommitBlockIsDurable))]
    [InlineData(nameof(Rule.CommittingBlockIsFrozen))]
    [InlineData(nameof(Rule.FreedMetadataIsRevoked))]
    [InlineData(nameof(Rule.CheckpointAfterCommit))]
    [InlineData(nameof(Rule.CheckpointBeforeTail))]
    [InlineData(nameof(Rule.TailBeforeReuse))]
    public void A_broken_rule_is_noticed(string rule) =>
        Assert.Contains(Enumerable.Range(0, 60), seed =>
        {
            try
            {
                new Run(seed, Enum.Parse<Rule>(rule), hasChecksums: false).Execute();
                return false;
            }
            catch (Exception e) when (e is Xunit.Sdk.XunitException or InvalidOperationException)
            {
                return true;
            }
        });

    private enum Owner
    {
        Metadata,
        Freed,
        Data,
    }

    private sealed class Run : IJournalClient
    {
        private readonly int _seed;
        private readonly Random _random;
        private readonly LogFixture _f;
        private readonly Owner[] _owners = new Owner[Pairs];
        private readonly bool[] _isBusy = new bool[Pairs];
        private readonly long[] _versions = new long[Pairs];
        private readonly int[] _timesFreed = new int[Pairs];
        private readonly long[] _promised = new long[Pairs];
        private readonly TransactionId[] _changedBy = new TransactionId[Pairs];
        private readonly long[] _changing = new long[Pairs];
        private readonly HashSet<ulong> _told = [];
        private readonly List<int> _reusable = [];
        private long _nextVersion = 1;

        public Run(int seed, Rule broken, bool hasChecksums)
        {
            _seed = seed;
            _random = new Random(seed);
            _f = new LogFixture(this, Blocks, seed, broken, logBlocks: 96, maxUnstable: 24, hasChecksums, budget: 16 * LogFixture.BlockSize);
            _f.Device.Latency = _ => TimeSpan.FromMilliseconds(_random.Next(0, 30));
        }

        public int CreditsBeforeCommit => 0;

        public ValueTask BeforeFirstChangeAsync() => ValueTask.CompletedTask;

        public ValueTask BeforeCommitAsync(Handle handle) => ValueTask.CompletedTask;

        public void FreedBlocksCommitted(VolumeBlock first, ulong count)
        {
            for (ulong block = first.Value; block < first.Value + count; block++)
            {
                int pair = (int)(block / 2);
                Assert.Equal(Owner.Freed, _owners[pair]);
                if (_told.Add(block) && _told.Contains(block ^ 1))
                {
                    _told.Remove(block);
                    _told.Remove(block ^ 1);
                    _reusable.Add(pair);
                }
            }
        }

        public void Execute()
        {
            try
            {
                _f.Scheduler.Run(async () =>
                {
                    await _f.AttachAsync();
                    await Task.WhenAll(Enumerable.Range(0, Actors).Select(_ => ActAsync()));
                    Assert.True(await _f.Journal.SettleAsync());
                    Assert.Equal(0u, _f.ReadSuperblock().Start);
                    await _f.Journal.DisposeAsync();
                });
                CheckAll(_f.Device, isExact: true);
            }
            catch (Exception e) when (e is not Xunit.Sdk.XunitException)
            {
                throw new InvalidOperationException($"seed {_seed}: {e.Message}", e);
            }
        }

        private async Task ActAsync()
        {
            for (int step = 0; step < Steps; step++)
            {
                await Task.CompletedTask;
                await _f.Scheduler.Yield();
                switch (_random.Next(9))
                {
                    case 0:
                        await CommitAsync();
                        break;
                    case 1:
                        await FreeAsync();
                        break;
                    case 2 or 3:
                        await ReuseAsync();
                        break;
                    case 4:
                        LosePower();
                        break;
                    default:
                        await ChangeAsync();
                        break;
                }
            }
        }

        private void LosePower()
        {
            bool all = _random.Next(4) == 0;
            CheckAll(_f.Recover(_ => all || _random.Next(2) == 0), isExact: false);
        }

        private async Task ChangeAsync()
        {
            if (Choose(Owner.Metadata) is not { } pair)
            {
                return;
            }

            await WritePairAsync(pair, isNew: false);
            _isBusy[pair] = false;
        }

        private async Task WritePairAsync(int pair, bool isNew)
        {
            Handle handle = _random.Next(4) == 0 ? (await _f.Journal.ReserveAsync(2)).Begin() : await _f.Journal.BeginAsync(2);
            long version = _nextVersion++;
            _changing[pair] = version;
            _changedBy[pair] = handle.Transaction;
            for (int i = 0; i < 2; i++)
            {
                var number = new VolumeBlock((ulong)((2 * pair) + i));
                MetadataBlock block = isNew ? _f.Cache.GetNew(number) : await _f.Cache.GetAsync(number);
                await _f.Scheduler.Yield();
                using (BlockEdit edit = handle.Edit(block))
                {
                    Fill(edit.Bytes, version);
                }

                block.Unpin();
                await _f.Scheduler.Yield();
                await StayAsync();
            }

            _versions[pair] = version;
            _owners[pair] = Owner.Metadata;
            handle.Stop();
        }

        /// <summary>Keeps a change half done for as long as a checkpoint may take.</summary>
        private async Task StayAsync()
        {
            if (_random.Next(3) == 0)
            {
                LosePower();
            }

            using var sector = new OwnedBuffer(512);
            for (int i = _random.Next(4) == 0 ? 8 : 0; i > 0; i--)
            {
                Assert.False((await _f.Device.ReadAsync(0, sector.Value.Segment)).IsFailed);
                LosePower();
            }
        }

        private async Task FreeAsync()
        {
            if (Choose(_random.Next(3) > 0 ? Owner.Metadata : Owner.Data) is not { } pair)
            {
                return;
            }

            Handle handle = await _f.Journal.BeginAsync(1);
            bool isMetadata = _owners[pair] == Owner.Metadata;
            _owners[pair] = Owner.Freed;
            _timesFreed[pair]++;
            _promised[pair] = 0;
            var first = new VolumeBlock((ulong)(2 * pair));
            if (isMetadata)
            {
                handle.Forget(first);
                handle.Forget(first + 1);
            }

            handle.Freed(first, 2);
            await _f.Scheduler.Yield();
            handle.Stop();
            _isBusy[pair] = false;
        }

        private async Task ReuseAsync()
        {
            if (_reusable.Count == 0)
            {
                return;
            }

            int pair = _reusable[^1];
            _reusable.RemoveAt(_reusable.Count - 1);
            _isBusy[pair] = true;
            if (_random.Next(3) == 0)
            {
                await WritePairAsync(pair, isNew: true);
            }
            else
            {
                long version = -_nextVersion++;
                using var buffer = new OwnedBuffer(2 * LogFixture.BlockSize);
                Fill(buffer.Value.GetSpan()[..LogFixture.BlockSize], version);
                Fill(buffer.Value.GetSpan()[LogFixture.BlockSize..], version);
                Assert.False((await _f.Device.WriteAsync(2L * pair * LogFixture.BlockSize, buffer.Value.Segment)).IsFailed);
                Assert.False((await _f.Device.FlushAsync()).IsFailed);
                (_owners[pair], _versions[pair]) = (Owner.Data, version);
            }

            _isBusy[pair] = false;
        }

        private async Task CommitAsync()
        {
            // A pair that is being changed is promised what it had; one that is freed meanwhile, nothing.
            long[] versions = [.. _versions];
            Owner[] owners = [.. _owners];
            int[] timesFreed = [.. _timesFreed];
            await _f.Journal.CommitAsync(_f.Journal.Running);
            for (int i = 0; i < Pairs; i++)
            {
                if (owners[i] == Owner.Metadata && _timesFreed[i] == timesFreed[i])
                {
                    _promised[i] = Math.Max(_promised[i], versions[i]);
                }
            }

            LosePower();
        }

        private void CheckAll(SimulatedDevice device, bool isExact)
        {
            for (int pair = 0; pair < Pairs; pair++)
            {
                byte[] bytes = device.Peek(2L * pair * LogFixture.BlockSize, 2 * LogFixture.BlockSize);
                long first = BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(8));
                if (_owners[pair] == Owner.Freed || (_owners[pair] == Owner.Metadata && _timesFreed[pair] > 0 && _promised[pair] == 0))
                {
                    // What is there may be of an earlier owner, or half overwritten by a new one.
                    continue;
                }

                string what = $"seed {_seed}: pair {pair} of {_owners[pair]}";
                Assert.True(first == 0 || IsWhole(bytes, first), $"{what} is torn");
                bool isRight = isExact || _owners[pair] == Owner.Data ? first == _versions[pair] : first >= _promised[pair] && first <= _nextVersion;
                bool isOpen = !isExact && _owners[pair] == Owner.Metadata && _changedBy[pair] == _f.Journal.Running && first == _changing[pair];
                Assert.False(isOpen, $"{what} has {first}, of a transaction that is still running");
                Assert.True(isRight, $"{what} has {first}, is {_versions[pair]}, promised {_promised[pair]}");
            }
        }

        /// <summary>Every fourth version looks like a block of the log.</summary>
        private static void Fill(Span<byte> block, long version)
        {
            for (int at = 0; at < block.Length; at += HeaderBytes)
            {
                BinaryPrimitives.WriteInt64LittleEndian(block[(at + 8)..], version);
            }

            BinaryPrimitives.WriteUInt32BigEndian(block, version % 4 == 0 ? LogBlockHeader.Magic : 7);
            BinaryPrimitives.WriteUInt32BigEndian(block[4..], (uint)LogBlockType.Commit);
        }

        private static bool IsWhole(byte[] pair, long version)
        {
            var expected = new byte[LogFixture.BlockSize];
            Fill(expected, version);
            return pair.AsSpan(0, expected.Length).SequenceEqual(expected) && pair.AsSpan(expected.Length).SequenceEqual(expected);
        }

        /// <summary>A pair that nobody else works on, taken: what the locks of a file system ensure.</summary>
        private int? Choose(Owner owner)
        {
            int[] free = [.. Enumerable.Range(0, Pairs).Where(i => _owners[i] == owner && !_isBusy[i])];
            if (free.Length == 0)
            {
                return null;
            }

            int pair = free[_random.Next(free.Length)];
            _isBusy[pair] = true;
            return pair;
        }
    }

    private sealed class OwnedBuffer(int length) : IDisposable
    {
        public AlignedBuffer Value { get; } = new(length);

        public void Dispose() => ((IDisposable)Value).Dispose();
    }
}
