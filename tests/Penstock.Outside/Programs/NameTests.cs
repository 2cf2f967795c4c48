using Penstock.Outside.Volumes;
using Xunit;

namespace Penstock.Outside.Programs;

/// <summary>Names under stress, and files that live on without one.</summary>
public sealed class NameTests
{
    [Fact]
    public void An_open_file_lives_on_without_its_name() => MountedVolume.Use("mkfs.ext4", v =>
    {
        string free = v.Run("stat -f -c '%f %d' .");
        v.Run("""
            head -c 5000000 /dev/urandom > f; sha256sum < f > ../sum
            exec 5< f 6<> f; rm f; test ! -e f; sha256sum <&5 | cmp - ../sum
            echo more >&6; mkdir d; cd d; rmdir ../d; refused touch x
            """);
        v.Remount();
        Assert.Equal(free, v.Run("stat -f -c '%f %d' ."));
    });

    [Fact]
    public void Renames_over_open_files_and_across_folders() => MountedVolume.Use("mkfs.ext4", v =>
    {
        Needs.Tools("python3");
        v.Run("""
            python3 - <<'PY'
            import os, random, threading
            for d in range(4): os.mkdir(f"d{d}")
            stop = False; errors = []
            def churn(seed):
                r = random.Random(seed)
                try:
                    for i in range(600):
                        a = f"d{r.randrange(4)}/n{r.randrange(12)}"; b = f"d{r.randrange(4)}/n{r.randrange(12)}"
                        try:
                            k = r.randrange(6)
                            if k == 0: os.rename(a, b)
                            elif k == 1: os.link(a, b)
                            elif k == 2: os.unlink(a)
                            elif k == 3:
                                with open(a, "wb") as f: f.write(bytes([seed]) * r.randrange(20000))
                            elif k == 4:
                                with open(a, "rb") as f:
                                    c = f.read(); assert len(set(c)) < 2 or True
                            else: os.symlink("x", b)
                        except (FileNotFoundError, FileExistsError): pass
                except Exception as e: errors.append(e)
            ts = [threading.Thread(target=churn, args=(s,)) for s in range(4)]
            [t.start() for t in ts]; [t.join() for t in ts]
            assert not errors, errors
            PY
            find . | sort > ../names
            """);
        v.Remount();
        v.Run("find . | sort | cmp - ../names");
    });

    [Theory]
    [InlineData("mkfs.ext4")]
    [InlineData("mkfs.ext4 -b 1024")]
    [InlineData("mkfs.ext4 -O ^dir_index")]
    public void A_large_folder_grows_and_empties(string making) => MountedVolume.Use(making, v =>
    {
        int count = making.Contains("^dir", StringComparison.Ordinal) ? 1500 : 6000;
        v.Run($"""
            mkdir big; cd big; seq -f 'a-name-of-some-length-%05g' 1 {count} | xargs touch
            test $(ls | wc -l) = {count}; test $(find . -type f | wc -l) = {count}
            ls | awk 'NR % 2' | xargs rm; test $(ls | wc -l) = {count / 2}
            seq -f 'another-%05g' 1 500 | xargs -I@ mv -n a-name-of-some-length-00002 @ 2> /dev/null || true
            """, 200);
        v.Remount();
        v.Run("cd big; ls | wc -l; find . -type f -delete; cd ..; rmdir big", 200);
    }, "256M");

    [Fact]
    public void Rename_without_replacing_and_exchange() => MountedVolume.Use("mkfs.ext4", v =>
    {
        Needs.Tools("python3");
        v.Run("""
            python3 - <<'PY'
            import ctypes, errno, os
            libc = ctypes.CDLL(None, use_errno=True)
            def rename2(a, b, flags):
                if libc.renameat2(-100, a.encode(), -100, b.encode(), flags): raise OSError(ctypes.get_errno(), "renameat2")
            open("a", "w").write("A"); open("b", "w").write("B"); os.mkdir("d"); open("d/x", "w").write("X")
            try: rename2("a", "b", 1); raise SystemExit("replaced")
            except OSError as e: assert e.errno == errno.EEXIST, e
            rename2("a", "b", 2); assert open("a").read() == "B" and open("b").read() == "A"
            rename2("a", "d", 2); assert open("a/x").read() == "X" and open("d").read() == "B"
            rename2("b", "c", 1); assert open("c").read() == "A"
            for a, b, e in (("a", "a/y", errno.EINVAL), ("c", "a", errno.EISDIR), ("a", "c", errno.ENOTDIR)):
                try: os.rename(a, b); raise SystemExit(f"{a} {b}")
                except OSError as x: assert x.errno == e, (a, b, x)
            try: os.rmdir("a"); raise SystemExit("rmdir")
            except OSError as x: assert x.errno == errno.ENOTEMPTY, x
            PY
            """);
    });

    [Fact]
    public void The_listing_of_a_folder_is_stable_while_entries_come_and_go() => MountedVolume.Use("mkfs.ext4", v =>
    {
        Needs.Tools("python3");
        v.Run("""
            python3 - <<'PY'
            import os
            os.mkdir("d")
            for i in range(3000): open(f"d/stay-{i:05}", "w").close()
            for round in range(3):
                seen = []
                with os.scandir("d") as it:
                    for n, e in enumerate(it):
                        seen.append(e.name)
                        if n % 3 == 0: open(f"d/new-{round}-{n}", "w").close()
                        if n % 5 == 0 and os.path.exists(f"d/new-{round}-{n - 15}"): os.unlink(f"d/new-{round}-{n - 15}")
                stay = [s for s in seen if s.startswith("stay")]
                assert len(stay) == 3000 and len(set(stay)) == 3000, (len(stay), len(set(stay)))
            PY
            """);
    });
}
