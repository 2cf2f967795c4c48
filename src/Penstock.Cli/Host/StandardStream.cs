using System.Runtime.InteropServices;

namespace Penstock.Cli.Host;

/// <summary>
/// Standard input, output or error, by its number and nothing else: the runtime's own streams keep a second descriptor, which a process that
/// leaves its terminal could not let go of.
/// </summary>
internal sealed class StandardStream(int descriptor) : Stream
{
    private const int Interrupted = 4;
    private const int WouldBlock = 11;

    public override bool CanRead => descriptor == 0;

    public override bool CanWrite => descriptor != 0;

    public override bool CanSeek => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Whether a person looks at it.</summary>
    public static bool IsTerminal(int descriptor) => LinuxCalls.IsTerminal(descriptor) == 1;

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        nint length;
        while ((length = LinuxCalls.Read(descriptor, buffer, buffer.Length)) < 0)
        {
            RequireTransient();
        }

        return (int)length;
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            nint length = LinuxCalls.Write(descriptor, buffer, buffer.Length);
            if (length < 0)
            {
                RequireTransient();
                continue;
            }

            buffer = buffer[(int)length..];
        }
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    /// <summary>Whoever shares a terminal or pipe with us may have made it non-blocking.</summary>
    private void RequireTransient()
    {
        int error = Marshal.GetLastPInvokeError();
        if (error == WouldBlock)
        {
            Thread.Sleep(1);
        }
        else if (error != Interrupted)
        {
            string name = descriptor == 0 ? "standard input" : descriptor == 1 ? "standard output" : "standard error";
            throw new IOException($"{name}: {Marshal.GetPInvokeErrorMessage(error)}", error);
        }
    }
}
