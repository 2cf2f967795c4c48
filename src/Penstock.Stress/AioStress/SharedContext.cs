using Penstock.Stress.Targets;

namespace Penstock.Stress.AioStress;

/// <summary>One context for all threads: a thread of its own submits what they hand over, and deals out what completes.</summary>
internal sealed class SharedContext
{
    private readonly StressFolder _folder;
    private readonly int _depth;
    private readonly Client[] _clients;
    private readonly Queue<(int Client, int Slot, Transfer Transfer)> _mail = new();
    private bool _isEnding;

    public SharedContext(StressFolder folder, int clients, int depth)
    {
        _folder = folder;
        _depth = depth;
        _clients = [.. Enumerable.Range(0, clients).Select(i => new Client(this, i))];
    }

    /// <summary>The part of the context that one thread uses.</summary>
    public TransferQueue this[int client] => _clients[client];

    /// <summary>Submits and reaps until <see cref="End"/>; run by a thread of its own.</summary>
    public void Run()
    {
        try
        {
            using TransferQueue queue = _folder.CreateQueue(_clients.Length * _depth);
            int inFlight = 0;
            while (Collect(queue, ref inFlight))
            {
                queue.Submit();
                int slot = queue.Take(out IoResult result);
                inFlight--;
                _clients[slot / _depth].Complete(slot % _depth, result);
            }
        }
        catch (FileSystemException e)
        {
            Array.ForEach(_clients, c => c.Fail(e));
        }
    }

    public void End()
    {
        lock (_mail)
        {
            _isEnding = true;
            Monitor.Pulse(_mail);
        }
    }

    /// <summary>Takes what was handed over; waits for it only where nothing is in flight. False at the end.</summary>
    private bool Collect(TransferQueue queue, ref int inFlight)
    {
        lock (_mail)
        {
            while (_mail.Count == 0 && inFlight == 0)
            {
                if (_isEnding)
                {
                    return false;
                }

                Monitor.Wait(_mail);
            }

            while (_mail.TryDequeue(out (int Client, int Slot, Transfer Transfer) item))
            {
                queue.Add((item.Client * _depth) + item.Slot, item.Transfer);
                inFlight++;
            }
        }

        return true;
    }

    /// <summary>A thread's own end of the context.</summary>
    private sealed class Client(SharedContext context, int index) : TransferQueue
    {
        private readonly List<(int Slot, Transfer Transfer)> _prepared = [];
        private readonly Queue<(int Slot, IoResult Result)> _completed = new();
        private FileSystemException? _failure;

        public override void Add(int slot, in Transfer transfer) => _prepared.Add((slot, transfer));

        public override void Submit()
        {
            lock (context._mail)
            {
                foreach ((int slot, Transfer transfer) in _prepared)
                {
                    context._mail.Enqueue((index, slot, transfer));
                }

                Monitor.Pulse(context._mail);
            }

            _prepared.Clear();
        }

        public override int Take(out IoResult result)
        {
            lock (_completed)
            {
                while (_completed.Count == 0)
                {
                    if (_failure is { } failure)
                    {
                        throw new FileSystemException(failure.Fault, failure.Message, failure);
                    }

                    Monitor.Wait(_completed);
                }

                (int slot, result) = _completed.Dequeue();
                return slot;
            }
        }

        public void Complete(int slot, IoResult result)
        {
            lock (_completed)
            {
                _completed.Enqueue((slot, result));
                Monitor.Pulse(_completed);
            }
        }

        public void Fail(FileSystemException failure)
        {
            lock (_completed)
            {
                _failure = failure;
                Monitor.Pulse(_completed);
            }
        }

        protected override void Dispose(bool isDisposing)
        {
        }
    }
}
