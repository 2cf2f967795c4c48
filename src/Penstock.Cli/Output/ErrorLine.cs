namespace Penstock.Cli.Output;

/// <summary>One line for each failure: what, where, what to do.</summary>
internal static class ErrorLine
{
    /// <summary>Prints the failure, and returns the exit code for it.</summary>
    public static int Print(Terminal terminal, string command, Exception failure)
    {
        if (IsBrokenPipe(failure))
        {
            return ExitCode.OutputGone;
        }

        string name = command.Length > 0 ? $"penstock {command}" : "penstock";
        terminal.Error.WriteLine($"{name}: {Describe(failure, terminal.Subject)}");
        return failure is UsageException ? ExitCode.Usage : ExitCode.Failure;
    }

    /// <summary>The failure, where it happened unless it says so itself, and what to do about it.</summary>
    public static string Describe(Exception failure, string? subject) => OnOneLine(failure switch
    {
        UsageException => failure.Message,
        FileSystemException e => Advise(e, subject) is { } advice ? $"{Locate(e, subject)}; {advice}" : Locate(e, subject),
        OperationCanceledException => "interrupted; what was finished before is on the volume",
        IOException or UnauthorizedAccessException => failure.Message,
        _ => $"a defect: {failure.GetType().Name}: {failure.Message}; please report it with {FirstFrame(failure)}",
    });

    private static string? Advise(FileSystemException failure, string? subject) => failure switch
    {
        DeviceException when HasAdvice(failure.Message) => null,
        CorruptVolumeException { Field: "s_magic" } when IsMemory(subject) => $"memory begins empty; format and use it with: penstock mount {subject} DIR",
        UnsupportedFeatureException => "nothing was changed; the kernel or e2fsprogs may know what this version does not",
        CorruptVolumeException { Field: "s_magic" } => "there is no ext2, ext3 or ext4 volume; make one with: penstock mkfs VOLUME",
        CorruptVolumeException => "nothing was changed; check it with e2fsck -f",
        DeviceException { Fault: IoFault.NotFound } => "check the name, or make a volume there with: penstock mkfs VOLUME SIZE",
        DeviceException { Fault: IoFault.Busy } => "unmount it, or wait for the other program",
        DeviceException { Fault: IoFault.NoSpace } => "make room on the host and try again",
        DeviceException { Fault: IoFault.DeviceFailed } => "check the device, and the volume with e2fsck -f",
        { Fault: IoFault.NoSpace } => "remove something from the volume, or make a larger one",
        _ => null,
    };

    /// <summary>What knows best what to do says so behind a semicolon.</summary>
    private static bool HasAdvice(string message) => message.Contains("; ", StringComparison.Ordinal);

    private static bool IsMemory(string? subject) => subject?.StartsWith("mem:", StringComparison.Ordinal) == true;

    /// <summary>The volume knows its files by their last names; the user has named more.</summary>
    private static string Locate(FileSystemException failure, string? subject)
    {
        if (subject is null || failure is DeviceException || failure.Message.Contains(subject, StringComparison.Ordinal))
        {
            return failure.Message;
        }

        string described = failure.Fault.Describe();
        return $"{subject}: {(failure.Message.EndsWith(described, StringComparison.Ordinal) ? described : failure.Message)}";
    }

    private static string FirstFrame(Exception failure) => failure.StackTrace?.Split('\n', 2)[0].Trim() ?? "no stack";

    private static string OnOneLine(string text) => text.ReplaceLineEndings(" ");

    /// <summary>Whoever read our output has gone: nobody to tell.</summary>
    private static bool IsBrokenPipe(Exception failure) => failure is IOException and not FileSystemException && failure.HResult == 32;
}
