using System.Net.Sockets;
using System.Text;

namespace Penstock.Cli.Mounting;

/// <summary>
/// Listens for who wants the mount gone. The answer comes when the volume has been released, or at once if it cannot be: "done", or
/// "failed" with the reason.
/// </summary>
internal sealed class ControlServer : IAsyncDisposable
{
    public const string UnmountRequest = "unmount";
    public const string DoneAnswer = "done";
    public const string FailedAnswer = "failed ";

    private readonly string _path;
    private readonly Socket _socket;
    private readonly Func<Task<string>> _unmount;
    private readonly CancellationTokenSource _closing = new();
    private readonly List<Task> _answers = [];
    private readonly Task _loop;
    private bool _isHidden;

    private ControlServer(string path, Socket socket, Func<Task<string>> unmount)
    {
        _path = path;
        _socket = socket;
        _unmount = unmount;
        _loop = ListenAsync();
    }

    /// <param name="path">The socket; one that a dead process left is replaced.</param>
    /// <param name="unmount">Unmounts, and says how it went when the volume has been released.</param>
    public static ControlServer Start(string path, Func<Task<string>> unmount)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            File.Delete(path);
            socket.Bind(new UnixDomainSocketEndPoint(path));
            socket.Listen(8);
            return new ControlServer(path, socket, unmount);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Takes the socket away, once: before anybody is told that the mount is gone, since whoever mounts there next has one of that name.
    /// </summary>
    public void Hide()
    {
        if (!_isHidden)
        {
            _isHidden = true;
            File.Delete(_path);
        }
    }

    /// <summary>Stops listening, and waits until everybody who asked has his answer.</summary>
    public async ValueTask DisposeAsync()
    {
        // A client that never asks does not keep the process.
        await _closing.CancelAsync();
        _socket.Dispose();
        await _loop;
        Task[] answers;
        lock (_answers)
        {
            answers = [.. _answers];
        }

        await Task.WhenAll(answers);
        _closing.Dispose();
        Hide();
    }

    private async Task ListenAsync()
    {
        while (true)
        {
            Socket client;
            try
            {
                client = await _socket.AcceptAsync();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }

            lock (_answers)
            {
                _answers.RemoveAll(static answer => answer.IsCompleted);
                _answers.Add(AnswerAsync(client));
            }
        }
    }

    private async Task AnswerAsync(Socket client)
    {
        using (client)
        {
            try
            {
                var request = new byte[64];
                int length = await client.ReceiveAsync(request, _closing.Token);
                string answer = Encoding.UTF8.GetString(request, 0, length).TrimEnd('\n') == UnmountRequest
                    ? await _unmount()
                    : $"{FailedAnswer}not understood";
                await client.SendAsync(Encoding.UTF8.GetBytes(answer + '\n'));
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException)
            {
                // Whoever asked has gone; what he asked for happens all the same.
            }
        }
    }
}
