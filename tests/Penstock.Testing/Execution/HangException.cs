namespace Penstock.Testing.Execution;

/// <summary>What was waited for can never happen: nothing is ready to run, no alarm is set, and it has not happened.</summary>
public sealed class HangException(string message) : Exception(message);
