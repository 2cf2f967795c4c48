namespace Penstock.Outside.Cli;

/// <summary>A folder with everything that a copy can lose.</summary>
internal static class SampleTree
{
    public static void Make(string root)
    {
        Directory.CreateDirectory(Path.Combine(root, "sub", "deep"));
        File.WriteAllText(Path.Combine(root, "text"), "hello\n");
        File.WriteAllText(Path.Combine(root, "empty"), string.Empty);
        var random = new Random(1);
        var bytes = new byte[3_000_017];
        random.NextBytes(bytes);
        File.WriteAllBytes(Path.Combine(root, "sub", "random"), bytes);
        for (int i = 0; i < 300; i++)
        {
            File.WriteAllText(Path.Combine(root, "sub", "deep", $"file {i} ü"), $"{i}");
        }

        OutsideProgram.Run("ln", Path.Combine(root, "text"), Path.Combine(root, "hard"));
        OutsideProgram.Run("ln", "-s", "text", Path.Combine(root, "link"));
        OutsideProgram.Run("ln", "-s", "nowhere/" + new string('x', 100), Path.Combine(root, "dangling"));
        OutsideProgram.Run("mkfifo", Path.Combine(root, "pipe"));
        OutsideProgram.Run("truncate", "-s", "50M", Path.Combine(root, "sparse"));
        using (FileStream sparse = File.OpenWrite(Path.Combine(root, "sparse")))
        {
            sparse.Position = 20_000_001;
            sparse.WriteByte(1);
        }

        OutsideProgram.Run("chmod", "4751", Path.Combine(root, "empty"));
        OutsideProgram.Run("chmod", "1733", Path.Combine(root, "sub", "deep"));
        OutsideProgram.Run("touch", "-h", "-d", "2001-02-03 04:05:06.123456789", Path.Combine(root, "text"), Path.Combine(root, "link"));
        OutsideProgram.Run("touch", "-d", "2100-02-03 04:05:06.987654321", Path.Combine(root, "sub"));
        OutsideProgram.TryRun("setfattr", "-n", "user.colour", "-v", "green", Path.Combine(root, "text"));
    }

    /// <summary>Everything that is known of the files of a folder, in text.</summary>
    public static string Describe(string root)
    {
        string listing = OutsideProgram.Run(
            "sh", "-c", "cd \"$1\" && find . -mindepth 1 -name lost+found -prune -o -mindepth 1 -printf '%P|%y|%m|%U|%G|%n|%s|%T@|%l\\n' | "
            + "sed -E 's/^([^|]*\\|d\\|[^|]*\\|[^|]*\\|[^|]*)\\|[0-9]+\\|[0-9]+/\\1/' | sort", "sh", root);
        string contents = OutsideProgram.Run(
            "sh", "-c", "cd \"$1\" && find . -type f -exec sha256sum {} + | sort -k2; getfattr -R -d -m user . 2>/dev/null | sort", "sh", root);
        return listing + contents;
    }
}
