using Xunit;

namespace Penstock.Tests.Tidy;

/// <summary>The house itself: its arrows, what it never calls, its sizes and its names.</summary>
public sealed class TidyTests
{
    [Fact]
    public void Dependencies_point_down_only() => Judge(SourceTree.Sources, Layers.Check);

    [Fact]
    public void Time_order_and_chance_come_from_the_seam_only() => Judge(SourceTree.Sources, Bans.Check);

    [Fact]
    public void Files_and_methods_are_short() => Judge(SourceTree.All, Sizes.Check);

    [Fact]
    public void Names_say_something_and_notes_are_elsewhere() => Judge(SourceTree.All, Words.Check);

    [Fact]
    public void Types_stand_in_the_namespace_of_their_folder() => Judge(SourceTree.Library, Folders.Check);

    [Fact]
    public void Whatever_orders_memory_has_its_reason()
    {
        string[] found = [.. MemoryOrder.Compare(SourceTree.Sources, SourceTree.Document(MemoryOrder.Document))];
        Assert.True(found.Length == 0, string.Join('\n', found));
    }

    private static void Judge(IEnumerable<SourceFile> files, Func<SourceFile, IEnumerable<string>> check)
    {
        SourceFile[] judged = [.. files];
        Assert.NotEmpty(judged);
        string[] found = [.. judged.SelectMany(check)];
        Assert.True(found.Length == 0, string.Join('\n', found));
    }
}
