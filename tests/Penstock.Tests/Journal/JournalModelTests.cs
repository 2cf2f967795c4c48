using System.Buffers.Binary;
using Penstock.Devices;
using Penstock.Execution;
using Penstock.Journal;
using Penstock.Mapping;
using Penstock.Testing.Devices;
using Penstock.Testing.Execution;
using Xunit;

namespace Penstock.Tests.Journal;

/// <summary>
/// Many actors change, free, reuse and commit blocks in an order drawn from a seed, over a device whose writes take random times. What a commit
/// promised is on the device after a power loss; a block that became file data stays what the file wrote.
/// </summary>
public sealed class JournalModelTests
{
    private const int Actors = 4;
    private const int Steps = 60;
    private const int Blocks = 24;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Commits_keep_their_promise_and_freed_blocks_are_left_alone(int group)
    {
        for (int seed = group * 100; seed < (group * 100) + 25; seed++)
        {
            new Run(seed, Rule.None).Execute();
        }
    }

    [Fact]
    public void Telling_of_freed_blocks_before_their_commit_is_noticed() =>
        Assert.Contains(Enumerable.Range(0, 50), seed =>
        {
            try
            {
                new Run(seed, Rule.FreedBlocksWaitForCommit).Execute();
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
        private readonly ManualScheduler _scheduler;
        private readonly SimulatedDevice _device;
        private readonly VolumeMetadataCache _cache;
        private readonly NoLogJournal _journal;
        private readonly Owner[] _owners = new Owner[Blocks];
        private readonly bool[] _isBusy = new bool[Blocks];
        private readonly long[] _versions = new long[Blocks];
        private readonly int[] _timesFreed = new int[Blocks];
        private readonly List<ulong> _reusable = [];
        private long _nextVersion = 1;

        public Run(int seed, Rule broken)
        {
            _seed = seed;
            _random = new Random(seed);
            _scheduler = new ManualScheduler(seed) { BrokenRule = broken };
            _device = new SimulatedDevice(_scheduler, Blocks * 4096L)
            {
                Latency = _ => TimeSpan.FromMilliseconds(_random.Next(0, 30)),
            };
            _cache = new VolumeMetadataCache(_device, 4096, 8 * 4096);
            _journal = new NoLogJournal(_cache, this, maxUnstableBlocks: 12);
        }

        public int CreditsBeforeCommit => 0;

        public ValueTask BeforeFirstChangeAsync() => ValueTask.CompletedTask;

        public ValueTask BeforeCommitAsync(Handle handle) => ValueTask.CompletedTask;

        public void FreedBlocksCommitted(VolumeBlock first, ulong count)
        {
            for (ulong i = 0; i < count; i++)
            {
                Assert.Equal(Owner.Freed, _owners[first.Value + i]);
                _reusable.Add(first.Value + i);
            }
        }

        public void Execute()
        {
            try
            {
                _scheduler.Run(async () =>
                {
                    await Task.WhenAll(Enumerable.Range(0, Actors).Select(_ => ActAsync()));
                    await _journal.DisposeAsync();
                });
                CheckDevice(_device, _versions);
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
                await _scheduler.Yield();
                switch (_random.Next(8))
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
                    default:
                        await ChangeAsync();
                        break;
                }
            }
        }

        private async Task ChangeAsync()
        {
            ulong[] chosen = Choose(Owner.Metadata, 3);
            Handle handle = await _journal.BeginAsync(chosen.Length);
            foreach (ulong number in chosen)
            {
                MetadataBlock block = await _cache.GetAsync(new VolumeBlock(number));
                await _scheduler.Yield();
                Write(handle, block);
                block.Unpin();
            }

            handle.Stop();
            Release(chosen);
        }

        private async Task FreeAsync()
        {
            ulong[] chosen = Choose(Owner.Metadata, 2);
            Handle handle = await _journal.BeginAsync(1);
            foreach (ulong number in chosen)
            {
                handle.Forget(new VolumeBlock(number));
                _owners[number] = Owner.Freed;
                _timesFreed[number]++;
                _versions[number] = long.MinValue;
                handle.Freed(new VolumeBlock(number), 1);
            }

            await _scheduler.Yield();
            handle.Stop();
            Release(chosen);
        }

        private async Task ReuseAsync()
        {
            if (_reusable.Count == 0)
            {
                return;
            }

            ulong number = _reusable[^1];
            _reusable.RemoveAt(_reusable.Count - 1);
            _isBusy[number] = true;
            if (_random.Next(2) == 0)
            {
                _owners[number] = Owner.Metadata;
                Handle handle = await _journal.BeginAsync(1);
                MetadataBlock block = _cache.GetNew(new VolumeBlock(number));
                Write(handle, block);
                block.Unpin();
                handle.Stop();
            }
            else
            {
                _owners[number] = Owner.Data;
                _versions[number] = -_nextVersion++;
                using var buffer = new OwnedBuffer(4096);
                BinaryPrimitives.WriteInt64LittleEndian(buffer.Value.GetSpan(), _versions[number]);
                Assert.False((await _device.WriteAsync((long)number * 4096, buffer.Value.Segment)).IsFailed);
            }

            _isBusy[number] = false;
        }

        private async Task CommitAsync()
        {
            long[] promised = [.. _versions];
            Owner[] owners = [.. _owners];
            int[] timesFreed = [.. _timesFreed];
            await _journal.CommitAsync(_journal.Running);
            SimulatedDevice survivor = _device.AfterPowerLoss(_scheduler, _ => _random.Next(2) == 0);
            for (int i = 0; i < Blocks; i++)
            {
                // What was freed meanwhile was promised nothing.
                if (owners[i] == Owner.Metadata && _timesFreed[i] == timesFreed[i])
                {
                    long found = BinaryPrimitives.ReadInt64LittleEndian(survivor.Peek(i * 4096L, 8));
                    Assert.True(found >= promised[i], $"seed {_seed}: block {i} was promised {promised[i]} and has {found}");
                }
            }
        }

        private void CheckDevice(SimulatedDevice device, long[] versions)
        {
            for (int i = 0; i < Blocks; i++)
            {
                if (_owners[i] != Owner.Freed)
                {
                    long found = BinaryPrimitives.ReadInt64LittleEndian(device.Peek(i * 4096L, 8));
                    Assert.True(found == versions[i], $"seed {_seed}: block {i}, {_owners[i]}, should have {versions[i]} and has {found}");
                }
            }
        }

        private void Write(Handle handle, MetadataBlock block)
        {
            using BlockEdit edit = handle.Edit(block);
            long version = _nextVersion++;
            BinaryPrimitives.WriteInt64LittleEndian(edit.Bytes, version);
            _versions[block.Number.Value] = version;
        }

        /// <summary>Blocks that nobody else works on: what the locks of a file system ensure.</summary>
        private ulong[] Choose(Owner owner, int most)
        {
            ulong[] chosen = [.. Enumerable.Range(0, Blocks).Where(i => _owners[i] == owner && !_isBusy[i])
                .OrderBy(_ => _random.Next()).Take(_random.Next(1, most + 1)).Select(i => (ulong)i)];
            foreach (ulong number in chosen)
            {
                _isBusy[number] = true;
            }

            return chosen;
        }

        private void Release(ulong[] chosen)
        {
            foreach (ulong number in chosen)
            {
                _isBusy[number] = false;
            }
        }
    }

    private sealed class OwnedBuffer(int length) : IDisposable
    {
        public AlignedBuffer Value { get; } = new(length);

        public void Dispose() => ((IDisposable)Value).Dispose();
    }
}
