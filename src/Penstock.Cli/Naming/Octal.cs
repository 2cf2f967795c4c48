namespace Penstock.Cli.Naming;

/// <summary>Permissions in octal.</summary>
internal static class Octal
{
    /// <exception cref="UsageException">No octal number up to 7777.</exception>
    public static UnixFileMode ParseMode(string text)
    {
        int mode = 0;
        foreach (char digit in text)
        {
            if (digit is < '0' or > '7' || mode > 0x1FF)
            {
                throw new UsageException($"'{text}' are no permissions; write them in octal, such as 755");
            }

            mode = (mode * 8) + (digit - '0');
        }

        return text.Length > 0 ? (UnixFileMode)mode : throw new UsageException("permissions are empty; write them in octal, such as 755");
    }
}
