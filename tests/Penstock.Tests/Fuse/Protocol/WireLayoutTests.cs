using System.Reflection;
using System.Runtime.InteropServices;
using Penstock.Fuse.Protocol;
using Xunit;

namespace Penstock.Tests.Fuse.Protocol;

/// <summary>Sizes and offsets as a C compiler lays them out from linux/fuse.h (those newer than 7.38: as the kernel's header says).</summary>
public sealed class WireLayoutTests
{
    public static TheoryData<string, int, string> Layouts => new()
    {
        { nameof(FuseInHeader), 40, "Length=0 Opcode=4 Unique=8 NodeId=16 Uid=24 Gid=28 Pid=32 TotalExtensionLength=36" },
        { nameof(FuseOutHeader), 16, "Length=0 Error=4 Unique=8" },
        { nameof(FuseRingHeader), 288, "In=0 Out=0 Arguments=128 Flags=256 CommitId=264 PayloadSize=272" },
        { nameof(FuseRingCommandRequest), 24, "Flags=0 CommitId=8 Queue=16" },
        { nameof(FuseExtensionHeader), 8, "Size=0 Type=4" },
        { nameof(FuseInitIn), 64, "Major=0 Minor=4 MaxReadahead=8 Flags=12 Flags2=16" },
        {
            nameof(FuseInitOut), 64,
            "Major=0 Minor=4 MaxReadahead=8 Flags=12 MaxBackground=16 CongestionThreshold=18 MaxWrite=20 TimeGranularity=24 MaxPages=28 "
            + "MapAlignment=30 Flags2=32 MaxStackDepth=36 RequestTimeout=40"
        },
        {
            nameof(FuseAttr), 88,
            "Inode=0 Size=8 Blocks=16 AccessTime=24 ModifyTime=32 ChangeTime=40 AccessNanoseconds=48 ModifyNanoseconds=52 "
            + "ChangeNanoseconds=56 Mode=60 Links=64 Uid=68 Gid=72 Device=76 BlockSize=80 Flags=84"
        },
        {
            nameof(FuseEntryOut), 128,
            "NodeId=0 Generation=8 EntryValid=16 AttrValid=24 EntryValidNanoseconds=32 AttrValidNanoseconds=36 Attr=40"
        },
        { nameof(FuseGetAttrIn), 16, "Flags=0 Handle=8" },
        { nameof(FuseAttrOut), 104, "AttrValid=0 AttrValidNanoseconds=8 Attr=16" },
        {
            nameof(FuseSetAttrIn), 88,
            "Valid=0 Handle=8 Size=16 LockOwner=24 AccessTime=32 ModifyTime=40 ChangeTime=48 AccessNanoseconds=56 "
            + "ModifyNanoseconds=60 ChangeNanoseconds=64 Mode=68 Uid=76 Gid=80"
        },
        { nameof(FuseStatxIn), 24, "GetAttrFlags=0 Handle=8 StatxFlags=16 Mask=20" },
        { nameof(FuseStatxTime), 16, "Seconds=0 Nanoseconds=8" },
        {
            nameof(FuseStatx), 256,
            "Mask=0 BlockSize=4 Attributes=8 Links=16 Uid=20 Gid=24 Mode=28 Inode=32 Size=40 Blocks=48 AttributesMask=56 AccessTime=64 "
            + "BirthTime=80 ChangeTime=96 ModifyTime=112 DeviceMajor=128 DeviceMinor=132 HostMajor=136 HostMinor=140"
        },
        { nameof(FuseStatxOut), 288, "AttrValid=0 AttrValidNanoseconds=8 Flags=12 Stat=32" },
        {
            nameof(FuseStatFsOut), 80,
            "Blocks=0 BlocksFree=8 BlocksAvailable=16 Files=24 FilesFree=32 BlockSize=40 NameLength=44 FragmentSize=48"
        },
        { nameof(FuseForgetIn), 8, "Lookups=0" },
        { nameof(FuseBatchForgetIn), 8, "Count=0" },
        { nameof(FuseForgetOne), 16, "NodeId=0 Lookups=8" },
        { nameof(FuseMkNodIn), 16, "Mode=0 Device=4 Umask=8" },
        { nameof(FuseMkDirIn), 8, "Mode=0 Umask=4" },
        { nameof(FuseRenameIn), 8, "NewDirectory=0" },
        { nameof(FuseRename2In), 16, "NewDirectory=0 Flags=8" },
        { nameof(FuseLinkIn), 8, "OldNodeId=0" },
        { nameof(FuseAccessIn), 8, "Mask=0" },
        { nameof(FuseSetXAttrIn), 16, "Size=0 Flags=4 ExtendedFlags=8" },
        { nameof(FuseGetXAttrIn), 8, "Size=0" },
        { nameof(FuseGetXAttrOut), 8, "Size=0" },
        { nameof(FuseInterruptIn), 8, "Unique=0" },
        { nameof(FuseDirent), 24, "Inode=0 NextOffset=8 NameLength=16 Type=20" },
        { nameof(FuseNotifyInvalidateInode), 24, "Inode=0 Offset=8 Length=16" },
        { nameof(FuseNotifyInvalidateEntry), 16, "Parent=0 NameLength=8 Flags=12" },
        { nameof(FuseNotifyDelete), 24, "Parent=0 Child=8 NameLength=16" },
        { nameof(FuseOpenIn), 8, "Flags=0 OpenFlags=4" },
        { nameof(FuseCreateIn), 16, "Flags=0 Mode=4 Umask=8 OpenFlags=12" },
        { nameof(FuseOpenOut), 16, "Handle=0 OpenFlags=8 BackingId=12" },
        { nameof(FuseCreateOut), 144, "Entry=0 Open=128" },
        { nameof(FuseReleaseIn), 24, "Handle=0 Flags=8 ReleaseFlags=12 LockOwner=16" },
        { nameof(FuseFlushIn), 24, "Handle=0 LockOwner=16" },
        { nameof(FuseReadIn), 40, "Handle=0 Offset=8 Size=16 ReadFlags=20 LockOwner=24 Flags=32" },
        { nameof(FuseWriteIn), 40, "Handle=0 Offset=8 Size=16 WriteFlags=20 LockOwner=24 Flags=32" },
        { nameof(FuseWriteOut), 8, "Size=0" },
        { nameof(FuseFSyncIn), 16, "Handle=0 Flags=8" },
        { nameof(FuseFAllocateIn), 32, "Handle=0 Offset=8 Length=16 Mode=24" },
        { nameof(FuseLSeekIn), 24, "Handle=0 Offset=8 Whence=16" },
        { nameof(FuseLSeekOut), 8, "Offset=0" },
        { nameof(FuseCopyFileRangeIn), 56, "HandleIn=0 OffsetIn=8 NodeIdOut=16 HandleOut=24 OffsetOut=32 Length=40 Flags=48" },
        { nameof(FuseCopyFileRangeOut), 8, "BytesCopied=0" },
        { nameof(FuseIoCtlIn), 32, "Handle=0 Flags=8 Command=12 Argument=16 InSize=24 OutSize=28" },
        { nameof(FuseIoCtlOut), 16, "Result=0 Flags=4 InVectors=8 OutVectors=12" },
        { nameof(FsXAttr), 28, "Flags=0 ExtentSize=4 Extents=8 ProjectId=12 CopyExtentSize=16" },
        { nameof(FsTrimRange), 24, "Start=0 Length=8 MinimumLength=16" },
    };

    [Theory]
    [MemberData(nameof(Layouts))]
    public void A_structure_lies_as_the_kernel_lays_it(string name, int size, string offsets)
    {
        Type type = typeof(FuseInHeader).Assembly.GetType($"Penstock.Fuse.Protocol.{name}", throwOnError: true)!;
        IEnumerable<string> found = type.GetFields(BindingFlags.Instance | BindingFlags.Public)
            .Select(field => (field.Name, Offset: field.GetCustomAttribute<FieldOffsetAttribute>()!.Value))
            .OrderBy(field => field.Offset)
            .Select(field => $"{field.Name}={field.Offset}");

        Assert.Equal(size, Marshal.SizeOf(type));
        Assert.Equal(offsets, string.Join(' ', found));
    }

    [Fact]
    public void Every_structure_of_the_protocol_is_in_the_table()
    {
        IEnumerable<string> structures = typeof(FuseInHeader).Assembly.GetTypes()
            .Where(type => type.Namespace == "Penstock.Fuse.Protocol" && type.IsExplicitLayout)
            .Select(type => type.Name);

        Assert.Empty(structures.Except(Layouts.Select(row => row.Data.Item1)));
    }
}
