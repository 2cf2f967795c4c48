using System.Net.Sockets;
using System.Text;

namespace Penstock.Cli.Mounting;

/// <summary>Asks the process behind a mount to end it.</summary>
internal static class ControlClient
{
    /// <summary>Waits until the volume has been released; null if nobody listens there.</summary>
    /// <returns>"done", "failed" with the reason, or empty if the process ended without an answer.</returns>
    public static async Task<string?> RequestUnmountAsync(string socketPath, CancellationToken cancellationToken)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), cancellationToken);
        }
        catch (SocketException)
        {
            return null;
        }

        await socket.SendAsync(Encoding.UTF8.GetBytes(ControlServer.UnmountRequest + '\n'), cancellationToken);
        var answer = new MemoryStream();
        var buffer = new byte[1024];
        try
        {
            for (int length; (length = await socket.ReceiveAsync(buffer, cancellationToken)) > 0;)
            {
                answer.Write(buffer, 0, length);
            }
        }
        catch (SocketException)
        {
            // It ended in the middle of the answer: what came is what there is.
        }

        return Encoding.UTF8.GetString(answer.ToArray()).TrimEnd('\n');
    }
}
