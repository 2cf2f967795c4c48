using System.Diagnostics;
using System.Globalization;
using System.IO.Pipes;
using Penstock.Cli.Host;

namespace Penstock.Cli.Mounting;

/// <summary>
/// Starts the program a second time, away from the terminal, and waits for its word that it is ready: the runtime cannot fork.
/// </summary>
internal static class BackgroundStart
{
    public const string PipeOption = "--ready-pipe";
    private const string Ready = "ready\n";
    private const int SetFlags = 2;
    private const int CloseOnExec = 1;

    /// <summary>Starts a command in the background; returns when it is ready, or is not.</summary>
    public static async Task<BackgroundWord> RunAsync(string command, IEnumerable<string> arguments, CancellationToken cancellationToken)
    {
        // The second process lives long: it must not hold open what whoever started us waits for the end of.
        KeepDescriptorsFromChild();
        using var pipe = new AnonymousPipeServerStream(PipeDirection.In, HandleInheritability.Inheritable);
        ProcessStartInfo start = DescribeSelf();
        start.ArgumentList.Add(command);
        start.ArgumentList.Add(PipeOption);
        start.ArgumentList.Add(pipe.GetClientHandleAsString());
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        using Process process = Process.Start(start) ?? throw new IOException("the background process could not be started");
        pipe.DisposeLocalCopyOfClientHandle();
        using var reader = new StreamReader(pipe);
        string word = await reader.ReadToEndAsync(cancellationToken);
        if (word.Length == 0)
        {
            // It never came as far as to leave its standard error.
            word = await process.StandardError.ReadToEndAsync(cancellationToken);
        }

        bool isReady = word.StartsWith(Ready, StringComparison.Ordinal);
        string text = (isReady ? word[Ready.Length..] : word).Trim().ReplaceLineEndings(" ");
        return new BackgroundWord(isReady, isReady || text.Length > 0 ? text : "the background process ended without a word");
    }

    /// <summary>In the second process, first of all: leaves the terminal, its session and its directory.</summary>
    /// <param name="log">Where standard error goes.</param>
    public static void LeaveTerminal(string log)
    {
        LinuxCalls.BeginSession();
        using FileStream nothing = new("/dev/null", FileMode.Open, FileAccess.ReadWrite);
        using FileStream errors = new(log, FileMode.Create, FileAccess.Write, FileShare.ReadWrite);
        LinuxCalls.Duplicate((int)nothing.SafeFileHandle.DangerousGetHandle(), 0);
        LinuxCalls.Duplicate((int)nothing.SafeFileHandle.DangerousGetHandle(), 1);
        LinuxCalls.Duplicate((int)errors.SafeFileHandle.DangerousGetHandle(), 2);
        Directory.SetCurrentDirectory("/");
    }

    /// <summary>In the second process: tells the first one, which then ends.</summary>
    /// <param name="pipeHandle">What was passed with <see cref="PipeOption"/>.</param>
    /// <param name="word">Whether it is ready, and what its user is to know.</param>
    public static void Tell(string pipeHandle, BackgroundWord word)
    {
        using var pipe = new AnonymousPipeClientStream(PipeDirection.Out, pipeHandle);
        using var writer = new StreamWriter(pipe);
        writer.Write(word.IsReady ? Ready + word.Text : word.Text);
    }

    private static ProcessStartInfo DescribeSelf()
    {
        string program = Environment.ProcessPath ?? throw new IOException("the program's own path is not known; use --foreground");

        // Pipes of ours in place of the caller's: the runtime duplicates its standard descriptors early, and whoever waits for the end of
        // what we print ("$(penstock mount …)") would otherwise wait for the mount's end.
        var start = new ProcessStartInfo(program)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        if (Path.GetFileNameWithoutExtension(program) == "dotnet")
        {
            start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "Penstock.Cli.dll"));
        }

        return start;
    }

    private static void KeepDescriptorsFromChild()
    {
        foreach (string entry in Directory.GetFileSystemEntries("/proc/self/fd"))
        {
            if (int.TryParse(Path.GetFileName(entry), NumberStyles.None, CultureInfo.InvariantCulture, out int descriptor) && descriptor > 2)
            {
                LinuxCalls.SetDescriptorFlags(descriptor, SetFlags, CloseOnExec);
            }
        }
    }
}

/// <summary>What the background process tells the one that started it.</summary>
/// <param name="IsReady">Whether it serves now.</param>
/// <param name="Text">Why not; or, if it does, what its user is to know, which may be nothing.</param>
internal readonly record struct BackgroundWord(bool IsReady, string Text);
