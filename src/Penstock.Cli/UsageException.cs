namespace Penstock.Cli;

/// <summary>The command line makes no sense in a way that only the command itself can tell: exit code 2.</summary>
internal sealed class UsageException(string message) : Exception(message);
