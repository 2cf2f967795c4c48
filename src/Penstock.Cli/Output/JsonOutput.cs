using System.Text.Encodings.Web;
using System.Text.Json;

namespace Penstock.Cli.Output;

/// <summary>JSON on standard output, written field by field: nothing is looked up by reflection, so it starts fast.</summary>
internal static class JsonOutput
{
    private static readonly JsonWriterOptions s_options = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void Write(Terminal terminal, Action<Utf8JsonWriter> write)
    {
        terminal.Out.Flush();
        using (var writer = new Utf8JsonWriter(terminal.Bytes, s_options))
        {
            write(writer);
        }

        terminal.Bytes.WriteByte((byte)'\n');
    }

    public static void WriteTime(this Utf8JsonWriter writer, string name, Timestamp time) =>
        writer.WriteString(name, TimeText.Iso(time));
}
