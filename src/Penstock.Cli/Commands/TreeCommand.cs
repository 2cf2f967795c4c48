using System.CommandLine;
using System.Text.Json;
using Penstock.Cli.Naming;
using Penstock.Cli.Output;

namespace Penstock.Cli.Commands;

/// <summary><c>tree</c>: everything below a directory of a volume, as a tree.</summary>
internal sealed class TreeCommand : Command
{
    private readonly Terminal _terminal;
    private readonly Argument<string> _path = new("VOLUME[:/PATH]") { Description = "The volume, or a directory in it." };
    private readonly Option<int> _depth = new("--level", "-L") { Description = "Go down this many levels only.", DefaultValueFactory = _ => int.MaxValue };
    private readonly Option<bool> _json = new("--json") { Description = "Print JSON." };

    public TreeCommand(Terminal terminal)
        : base("tree", "Show everything below a directory of a volume.")
    {
        _terminal = terminal;
        Arguments.Add(_path);
        Options.Add(_depth);
        Options.Add(_json);
        _depth.Validators.Add(static result =>
        {
            if (result.GetValueOrDefault<int>() < 1)
            {
                result.AddError("Option '-L' takes a number from 1.");
            }
        });
        SetAction(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        string text = parsed.GetRequiredValue(_path);
        VolumePath path = VolumePath.ParseWithDefault(text);
        await using Volume volume = await VolumeAccess.OpenForReadingAsync(_terminal, path.Volume, cancellationToken);
        _terminal.Subject = path.ToString();
        Node root = await ReadAsync(volume, path.Path, new Node(text, FileKind.Directory), parsed.GetValue(_depth), cancellationToken);
        if (parsed.GetValue(_json))
        {
            JsonOutput.Write(_terminal, writer => WriteJson(writer, root));
            return ExitCode.Success;
        }

        _terminal.Out.WriteLine(text);
        Print(root, string.Empty);
        (int directories, int files) = root.Count();
        _terminal.Out.WriteLine();
        _terminal.Out.WriteLine($"{directories} {(directories == 1 ? "directory" : "directories")}, {files} {(files == 1 ? "file" : "files")}");
        return ExitCode.Success;
    }

    private static async Task<Node> ReadAsync(Volume volume, string path, Node node, int depth, CancellationToken cancellationToken)
    {
        await foreach (VolumeEntry entry in volume.EnumerateAsync(path, cancellationToken))
        {
            string inside = VolumePath.Join(path, entry.Name);
            FileKind kind = entry.Kind == FileKind.Unknown ? (await volume.GetDetailsAsync(inside, followLink: false)).Kind : entry.Kind;
            node.Children.Add(new Node(entry.Name, kind)
            {
                Target = kind == FileKind.SymbolicLink ? await volume.ReadLinkAsync(inside) : null,
            });
        }

        node.Children.Sort(static (a, b) => string.CompareOrdinal(a.Name, b.Name));
        foreach (Node child in node.Children)
        {
            if (child.Kind == FileKind.Directory && depth > 1)
            {
                await ReadAsync(volume, VolumePath.Join(path, child.Name), child, depth - 1, cancellationToken);
            }
        }

        return node;
    }

    private void Print(Node node, string indent)
    {
        for (int i = 0; i < node.Children.Count; i++)
        {
            Node child = node.Children[i];
            bool isLast = i == node.Children.Count - 1;
            string target = child.Target is null ? string.Empty : $" -> {child.Target}";
            _terminal.Out.WriteLine($"{indent}{(isLast ? "└── " : "├── ")}{child.Name}{target}");
            Print(child, indent + (isLast ? "    " : "│   "));
        }
    }

    private static void WriteJson(Utf8JsonWriter writer, Node node)
    {
        writer.WriteStartObject();
        writer.WriteString("name", node.Name);
        writer.WriteString("kind", ModeText.Name(node.Kind));
        if (node.Target is not null)
        {
            writer.WriteString("target", node.Target);
        }

        if (node.Kind == FileKind.Directory)
        {
            writer.WriteStartArray("entries");
            foreach (Node child in node.Children)
            {
                WriteJson(writer, child);
            }

            writer.WriteEndArray();
        }

        writer.WriteEndObject();
    }

    private sealed class Node(string name, FileKind kind)
    {
        public string Name => name;

        public FileKind Kind => kind;

        public string? Target { get; init; }

        public List<Node> Children { get; } = [];

        public (int Directories, int Files) Count()
        {
            int directories = 0;
            int files = 0;
            foreach (Node child in Children)
            {
                (int below, int filesBelow) = child.Count();
                directories += below + (child.Kind == FileKind.Directory ? 1 : 0);
                files += filesBelow + (child.Kind == FileKind.Directory ? 0 : 1);
            }

            return (directories, files);
        }
    }
}
