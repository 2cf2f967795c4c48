using Penstock.Outside.Volumes;
using Xunit;

namespace Penstock.Outside.Programs;

/// <summary>What developers do all day.</summary>
public sealed class DevelopmentTests
{
    [Theory]
    [InlineData("ours -t ext4")]
    [InlineData("mkfs.ext4 -b 1024")]
    public void Git(string making)
    {
        Needs.Tools("git");
        MountedVolume.Use(making, v =>
        {
            v.Run("""
                export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b GIT_CONFIG_GLOBAL=/dev/null
                git init -q -b main repo; cd repo
                for d in $(seq 1 40); do mkdir -p "dir-$d/sub"; for f in $(seq 1 50); do echo "file $d $f" > "dir-$d/sub/file-$f"; done; done
                git add .; git commit -q -m first
                for n in $(seq 1 5); do for d in $(seq $n 5 40); do echo "change $n" >> "dir-$d/sub/file-$n"; done; git commit -qam "change $n"; done
                git checkout -q -b side HEAD~3; git mv dir-1 moved; git rm -rq dir-2; git commit -qm side; git checkout -q main; git merge -q -m merge side
                git gc -q --prune=now; git fsck --full --strict
                cd ..; git clone -q --no-hardlinks repo clone; git -C clone fsck --full
                test -z "$(git -C clone status --porcelain)"
                """, 240);
            v.Remount();
            v.Run("export GIT_CONFIG_GLOBAL=/dev/null; git -C repo fsck --full --strict; test -z \"$(git -C repo status --porcelain)\"; rm -rf clone; git -C repo log --oneline | wc -l");
        });
    }

    [Fact]
    public void A_dotnet_build()
    {
        Needs.Tools("dotnet");
        MountedVolume.Use("mkfs.ext4", v =>
        {
            File.WriteAllText(v.Aside("app.csproj"), """
                <Project Sdk="Microsoft.NET.Sdk"><PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework></PropertyGroup></Project>
                """);
            File.WriteAllText(v.Aside("app.cs"), "System.Console.WriteLine(\"built on the mount\");");
            string output = v.Run($"""
                export DOTNET_CLI_HOME="$PWD" DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
                mkdir app; cp '{v.Aside("app.csproj")}' '{v.Aside("app.cs")}' app/
                dotnet build app -c Release -v q --disable-build-servers -maxcpucount:1 > /dev/null
                dotnet app/bin/Release/net10.0/app.dll
                ./app/bin/Release/net10.0/app
                """, 240);
            Assert.Equal("built on the mount\nbuilt on the mount\n", output);
        });
    }
}
