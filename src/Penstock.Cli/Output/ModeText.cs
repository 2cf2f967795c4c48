namespace Penstock.Cli.Output;

/// <summary>Kind and permissions as <c>ls -l</c> shows them.</summary>
internal static class ModeText
{
    public static string Describe(FileKind kind, UnixFileMode mode)
    {
        Span<char> text = stackalloc char[10];
        "?---------".CopyTo(text);
        text[0] = Letter(kind);
        for (int i = 0; i < 9; i++)
        {
            if (((int)mode & (0x100 >> i)) != 0)
            {
                text[i + 1] = "rwx"[i % 3];
            }
        }

        Mark(text, 3, mode, UnixFileMode.SetUser, 's');
        Mark(text, 6, mode, UnixFileMode.SetGroup, 's');
        Mark(text, 9, mode, UnixFileMode.StickyBit, 't');
        return new string(text);
    }

    public static string Name(FileKind kind) => kind switch
    {
        FileKind.Regular => "regular file",
        FileKind.Directory => "directory",
        FileKind.CharacterDevice => "character special file",
        FileKind.BlockDevice => "block special file",
        FileKind.Pipe => "fifo",
        FileKind.Socket => "socket",
        FileKind.SymbolicLink => "symbolic link",
        _ => "unknown",
    };

    private static char Letter(FileKind kind) => kind switch
    {
        FileKind.Regular => '-',
        FileKind.Directory => 'd',
        FileKind.CharacterDevice => 'c',
        FileKind.BlockDevice => 'b',
        FileKind.Pipe => 'p',
        FileKind.Socket => 's',
        FileKind.SymbolicLink => 'l',
        _ => '?',
    };

    private static void Mark(Span<char> text, int at, UnixFileMode mode, UnixFileMode bit, char letter)
    {
        if ((mode & bit) != 0)
        {
            text[at] = text[at] == 'x' ? letter : char.ToUpperInvariant(letter);
        }
    }
}
