using System.CommandLine;
using Penstock.Cli.Host;
using Penstock.Cli.Mounting;
using Penstock.Cli.Output;

namespace Penstock.Cli.Commands;

/// <summary><c>unmount</c>: ends a mount; returns when everything is on the device and the volume has been released.</summary>
internal sealed class UnmountCommand : Command
{
    private readonly Argument<string> _directory = new("DIR") { Description = "Where the volume is mounted." };

    public UnmountCommand(Terminal terminal)
        : base("unmount", "Unmount a volume: returns when everything is on the device.")
    {
        _ = terminal;
        Aliases.Add("umount");
        Arguments.Add(_directory);
        SetAction(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        string directory = FullPath.Of(parsed.GetRequiredValue(_directory));
        MountEntry? mounted = MountTable.Find(directory);
        foreach (string socket in ControlPlace.Find(directory, mounted?.UserId))
        {
            switch (await ControlClient.RequestUnmountAsync(socket, cancellationToken))
            {
                case null:
                    // A dead process left it.
                    File.Delete(socket);
                    continue;
                case ControlServer.DoneAnswer:
                    return ExitCode.Success;
                case "":
                    throw new IOException(
                        $"{directory}: the process behind the mount ended before it was done; check the volume with e2fsck, and see {Path.ChangeExtension(socket, ".log")}");
                case string answer:
                    throw new IOException(Strip(answer));
            }
        }

        if (mounted is null)
        {
            throw new FileSystemException(IoFault.InvalidArgument, $"{directory}: no volume is mounted there");
        }

        // Nobody is behind it: what it had not written is lost already.
        bool isOff = LazyUnmount.TakeOff(directory) || LazyUnmount.Detach(directory);
        throw new IOException(
            $"{directory}: the process behind the mount was gone; {(isOff ? "the mount has been taken off" : "the mount could not be taken off")}, "
            + $"check {mounted.Source} with e2fsck");
    }

    private static string Strip(string answer) =>
        answer.StartsWith(ControlServer.FailedAnswer, StringComparison.Ordinal) ? answer[ControlServer.FailedAnswer.Length..] : answer;
}
