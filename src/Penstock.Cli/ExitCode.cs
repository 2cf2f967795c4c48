namespace Penstock.Cli;

/// <summary>What the program ends with, as people know it from coreutils.</summary>
internal static class ExitCode
{
    public const int Success = 0;

    /// <summary>Something failed; one line on standard error says what, where, and what to do.</summary>
    public const int Failure = 1;

    /// <summary>The command line makes no sense.</summary>
    public const int Usage = 2;

    /// <summary>Whoever read the output has gone: what a shell says of a program that SIGPIPE ended.</summary>
    public const int OutputGone = 128 + 13;
}
