using System.Text.Json;
using Penstock.Cli.Naming;

namespace Penstock.Cli.Output;

/// <summary>What is known of a file, as the fields of a JSON object.</summary>
internal static class DetailsJson
{
    public static void WriteFields(Utf8JsonWriter writer, FileDetails details, string? target)
    {
        writer.WriteNumber("inode", details.InodeNumber);
        writer.WriteString("kind", ModeText.Name(details.Kind));
        writer.WriteString("mode", Convert.ToString((int)details.Permissions, 8).PadLeft(4, '0'));
        writer.WriteNumber("links", details.Links);
        writer.WriteNumber("uid", details.UserId);
        writer.WriteNumber("gid", details.GroupId);
        writer.WriteNumber("size", details.Length);
        writer.WriteNumber("allocated", details.AllocatedBytes);
        writer.WriteTime("atime", details.AccessTime);
        writer.WriteTime("mtime", details.ModifyTime);
        writer.WriteTime("ctime", details.ChangeTime);
        writer.WriteTime("btime", details.BirthTime);
        if (details.Kind is FileKind.CharacterDevice or FileKind.BlockDevice)
        {
            (uint major, uint minor) = DeviceNumbers.Split(details.DeviceNumber);
            writer.WriteString("device", $"{major}:{minor}");
        }

        if (target is not null)
        {
            writer.WriteString("target", target);
        }
    }
}
