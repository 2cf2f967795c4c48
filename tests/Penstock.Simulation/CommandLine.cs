namespace Penstock.Simulation;

/// <summary>Reads the words of a command line: flags, and options with a value behind them or after "=".</summary>
internal static class CommandLine
{
    /// <summary>Offers each word to <paramref name="tryFlag"/>, else to <paramref name="tryValue"/> with a way to its value.</summary>
    /// <exception cref="UsageException">Neither knows a word, or a value is missing.</exception>
    public static void Read(IReadOnlyList<string> words, Func<string, bool> tryFlag, Func<string, Func<string>, bool> tryValue)
    {
        for (int i = 0; i < words.Count; i++)
        {
            string[] parts = words[i].Split('=', 2);
            string Value() => parts.Length == 2 ? parts[1]
                : ++i < words.Count ? words[i]
                : throw new UsageException($"option {parts[0]} needs a value");
            if (!tryFlag(words[i]) && !tryValue(parts[0], Value))
            {
                throw new UsageException($"{words[i]} is no option of this command");
            }
        }
    }
}
