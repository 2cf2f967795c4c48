using Xunit;

namespace Penstock.Tests.Tidy;

/// <summary>A tidy rule that cannot fail is a defect: each meets code that breaks it, and code that only looks so.</summary>
public sealed class TidyRulesTests
{
    [Theory]
    [InlineData("Penstock/Devices/A.cs", "using Penstock.Files;")]
    [InlineData("Penstock/Devices/A.cs", "class A { Files.Inode x; }")]
    [InlineData("Penstock/Devices/A.cs", "class A { Penstock.Ext4.Superblock x; }")]
    [InlineData("Penstock/Execution/A.cs", "using Penstock.Locking;")]
    [InlineData("Penstock/Execution/A.cs", "class A { Locking.SharedLock x; }")]
    [InlineData("Penstock/Memory/A.cs", "using Penstock.Devices;")]
    [InlineData("Penstock/Files/A.cs", "using Penstock.Ext4;")]
    [InlineData("Penstock/Files/A.cs", "using static Penstock.Ext4.Format.Superblock;")]
    [InlineData("Penstock/DirectIO/A.cs", "using Penstock.Files;")]
    [InlineData("Penstock/Journal/A.cs", "using Penstock.Caching;")]
    [InlineData("Penstock/Ext4/Format/A.cs", "using Penstock.Devices;")]
    [InlineData("Penstock/Ext4/A.cs", "using Penstock.Uring;")]
    [InlineData("Penstock/Ext4/A.cs", "using Penstock.Fuse.Protocol;")]
    [InlineData("Penstock.Uring/A.cs", "using Penstock.Devices;")]
    [InlineData("Penstock.Fuse/A.cs", "using Penstock.Cli;")]
    [InlineData("Penstock.Fuse/A.cs", "using Penstock.Stress.Fsx;")]
    [InlineData("Penstock.Stress/A.cs", "using Penstock.Fuse;")]
    [InlineData("Penstock/Elsewhere/A.cs", "class A;")]
    public void An_arrow_that_points_up_is_found(string path, string code) => Assert.NotEmpty(Layers.Check(Source(path, code)));

    [Theory]
    [InlineData("Volatile.Read(ref _b)", "Read")]
    [InlineData("Volatile.Write(ref *_b, 1)", "Write")]
    [InlineData("Interlocked.Exchange<string>(ref _b, null)", "Exchange")]
    [InlineData("Interlocked.Increment(ref a.c._b[5, 6])", "Increment")]
    [InlineData("volatile Dictionary<int,int>? _b;", "volatile")]
    public void What_orders_memory_is_found_with_its_member(string code, string operation)
    {
        SourceFile[] source = [Source("Penstock/A.cs", code)];
        Assert.NotEmpty(MemoryOrder.Compare(source, ""));
        Assert.Empty(MemoryOrder.Compare(source, $"### `src/Penstock/A.cs`\n| `_b` | {operation} | why |"));
        Assert.NotEmpty(MemoryOrder.Compare(source, $"### `src/Penstock/A.cs`\n| `_b` | {operation}, Other | why |"));
        Assert.NotEmpty(MemoryOrder.Compare(source, $"### `src/Penstock/B.cs`\n| `_b` | {operation} | why |"));
        Assert.NotEmpty(MemoryOrder.Compare([], $"### `src/Penstock/A.cs`\n| `_b` | {operation} | why |"));
    }

    [Fact]
    public void A_barrier_is_found_and_a_comment_about_one_is_not()
    {
        Assert.Single(MemoryOrder.Compare([Source("Penstock/A.cs", "Interlocked.MemoryBarrier();")], ""));
        Assert.Empty(MemoryOrder.Compare([Source("Penstock/A.cs", "// Interlocked.MemoryBarrier(); Volatile.Read(ref _a) volatile int b")], ""));
    }

    [Theory]
    [InlineData("Penstock/Caching/A.cs", "using Penstock.Files;")]
    [InlineData("Penstock/Execution/A.cs", "class A { Locking.LockRecorder? x; }")]
    [InlineData("Penstock/Devices/A.cs", "namespace Penstock.Devices; using Penstock.Memory;")]
    [InlineData("Penstock/Devices/A.cs", "// using Penstock.Files;")]
    [InlineData("Penstock/Devices/A.cs", "class A { string s = \"Penstock.Files\"; }")]
    [InlineData("Penstock/Ext4/Extents/A.cs", "using Penstock.Ext4.Allocation; using Penstock.Files;")]
    [InlineData("Penstock/DirectIO/A.cs", "class A { void B() => write.Files.Close(); }")]
    public void An_arrow_that_points_down_or_is_none_is_not(string path, string code) => Assert.Empty(Layers.Check(Source(path, code)));

    [Theory]
    [InlineData("DateTime.Now")]
    [InlineData("DateTime.UtcNow")]
    [InlineData("DateTimeOffset.UtcNow")]
    [InlineData("Stopwatch.GetTimestamp()")]
    [InlineData("new Random(5)")]
    [InlineData("Random.Shared.Next()")]
    [InlineData("Environment.TickCount64")]
    [InlineData("Guid.NewGuid()")]
    [InlineData("name.GetHashCode()")]
    [InlineData("Task.Run(F)")]
    [InlineData("Task.Factory.StartNew(F)")]
    [InlineData("ThreadPool.QueueUserWorkItem(F)")]
    [InlineData("new Thread(F)")]
    [InlineData("Parallel.For(0, 1, F)")]
    [InlineData("ReadAsync().Result")]
    [InlineData("task.Result")]
    [InlineData("task.Wait()")]
    [InlineData("Thread.Sleep(1)")]
    [InlineData("Task.Delay(1)")]
    [InlineData("new TaskCompletionSource()")]
    [InlineData("$\"at {DateTime.UtcNow}\"")]
    public void A_banned_call_is_found(string call)
    {
        string code = $"class A {{ object X() => {call}; }}";
        Assert.NotEmpty(Bans.Check(Source("Penstock/Files/A.cs", code)));
        Assert.Empty(Bans.Check(Source("Penstock/Execution/A.cs", code)));
    }

    [Theory]
    [InlineData("// Task.Run is banned")]
    [InlineData("/* DateTime.Now\n */")]
    [InlineData("string s = \"DateTime.Now\";")]
    [InlineData("string s = \"\"\"\n say \"DateTime.Now\"\n \"\"\";")]
    [InlineData("string s = @\"a\"\"DateTime.Now\";")]
    [InlineData("char c = '\"'; // DateTime.Now \"")]
    [InlineData("override int GetHashCode() => 5;")]
    [InlineData("return outcome.Result;")]
    [InlineData("Monitor.Wait(latch);")]
    public void What_only_looks_like_a_banned_call_is_not(string code) => Assert.Empty(Bans.Check(Source("Penstock/Files/A.cs", code)));

    [Fact]
    public void A_thread_is_made_in_the_documented_places_only()
    {
        const string Code = "class A { void X() => new Thread(F); }";
        Assert.NotEmpty(Bans.Check(Source("Penstock.Fuse/Session/FuseSession.cs", Code)));
        Assert.NotEmpty(Bans.Check(Source("Penstock.Uring/Rings/Ring.cs", Code)));
        Assert.Empty(Bans.Check(Source("Penstock.Fuse/Transport/DeviceTransport.cs", Code)));
    }

    [Theory]
    [InlineData("class A\n{\n    void X(int a = 1)\n    {\n#\n    }\n}")]
    [InlineData("namespace N;\nclass A\n{\n    int X\n    {\n        get\n        {\n#\n        }\n    }\n}")]
    [InlineData("record A\n{\n    int X(int y) => y switch\n    {\n#\n    };\n}")]
    [InlineData("struct A\n{\n    static A operator ==(A x, A y)\n    {\n#\n    }\n}")]
    public void A_long_method_is_found(string frame)
    {
        Assert.NotEmpty(Sizes.Check(Source("Penstock/A.cs", frame.Replace("#", Lines(70)))));
        Assert.Empty(Sizes.Check(Source("Penstock/A.cs", frame.Replace("#", Lines(60)))));
    }

    [Theory]
    [InlineData("static B s_b = new()")]
    [InlineData("static B Rows => new()")]
    public void A_long_table_is_no_method(string header) =>
        Assert.Empty(Sizes.Check(Source("Penstock/A.cs", $"class A\n{{\n    {header}\n    {{\n{Lines(90)}\n    }};\n}}")));

    [Fact]
    public void A_long_file_is_found()
    {
        Assert.NotEmpty(Sizes.Check(Source("Penstock/A.cs", Lines(Sizes.MaxFileLines + 2))));
        Assert.Empty(Sizes.Check(Source("Penstock/A.cs", Lines(Sizes.MaxFileLines))));
    }

    [Theory]
    [InlineData("class PageManager;")]
    [InlineData("static class PathHelpers;")]
    [InlineData("record struct FileInfo;")]
    [InlineData("// TO" + "DO: later")]
    [InlineData("string s = \"/ho" + "me/somebody/x\";")]
    public void Empty_names_notes_and_machine_paths_are_found(string code) => Assert.NotEmpty(Words.Check(Source("Penstock/A.cs", code)));

    [Theory]
    [InlineData("class Information;")]
    [InlineData("class Database;")]
    [InlineData("int pageInfo;")]
    [InlineData("string s = \"/tmp/x\";")]
    public void Names_that_say_something_are_not(string code) => Assert.Empty(Words.Check(Source("Penstock/A.cs", code)));

    [Theory]
    [InlineData("Penstock/Devices/A.cs", "namespace Penstock.Files;", true)]
    [InlineData("Penstock/Devices/A.cs", "namespace Penstock;\ninternal class A;", true)]
    [InlineData("Penstock/Devices/A.cs", "namespace Penstock;\npublic class A;", false)]
    [InlineData("Penstock/Ext4/Format/A.cs", "namespace Penstock.Ext4.Format;", false)]
    public void A_namespace_that_is_not_its_folder_is_found(string path, string code, bool isFound) =>
        Assert.Equal(isFound, Folders.Check(Source(path, code)).Any());

    private static SourceFile Source(string path, string code) => new($"src/{path}", code);

    private static string Lines(int count) => string.Concat(Enumerable.Repeat("        x,\n", count)).TrimEnd('\n');
}
