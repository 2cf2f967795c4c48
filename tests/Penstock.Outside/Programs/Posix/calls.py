"""Calls of POSIX and Linux on a file system, each with its outcome on a line of its own: an errno, or what can be seen afterwards.

    python3 calls.py FOLDER        (as root)

Nothing in a line depends on where or when it ran, so the lines of two file systems can be compared.
"""
import ctypes, errno, fcntl, mmap, os, shutil, signal, socket, stat, struct, sys, time

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
AT_FDCWD, AT_EMPTY_PATH, AT_SYMLINK_FOLLOW = -100, 0x1000, 0x400
NOREPLACE, EXCHANGE, WHITEOUT = 1, 2, 4
KEEP_SIZE, PUNCH, ZERO = 1, 2, 0x10
UTIME_NOW, UTIME_OMIT = (1 << 30) - 1, (1 << 30) - 2
ACCESS_ACL, DEFAULT_ACL = "system.posix_acl_access", "system.posix_acl_default"
OWNER, USER, GROUP, MASK, OTHER = 1, 2, 4, 0x10, 0x20
IMMUTABLE, APPEND_ONLY, EXTENTS = 0x10, 0x20, 0x80000
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")
PAGE = 4096
group = ""


def case(label, call, *arguments, **named):
    try:
        outcome = call(*arguments, **named)
    except OSError as e:
        outcome = errno.errorcode.get(e.errno, e.errno)
    print(f"{group}: {label} = {outcome}", flush=True)


def cases(calls):
    for label, call in calls:
        case(label, call)


def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "call")
    return result


def rename2(a, b, flags):
    return check(libc.renameat2(AT_FDCWD, a.encode(), AT_FDCWD, b.encode(), flags))


def linkat(directory, name, new, flags):
    return check(libc.linkat(directory, name.encode(), AT_FDCWD, new.encode(), flags))


def fallocate(fd, mode, offset, length):
    return check(libc.fallocate(fd, mode, ctypes.c_long(offset), ctypes.c_long(length)))


def utimensat(name, access, modify):
    times = struct.pack("qqqq", *access, *modify) if access else None
    return check(libc.utimensat(AT_FDCWD, name.encode(), times, 0))


def make(name, content=b"", mode=0o644):
    fd = os.open(name, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, mode)
    if content:
        os.write(fd, content)
    os.close(fd)


def mode(name):
    return oct(os.lstat(name).st_mode)


def after(call, look):
    call()
    return look()


def open_close(name, flags, permissions=0o644):
    os.close(os.open(name, flags, permissions))


def as_user(user, call, groups=()):
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.setgroups(groups)
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        try:
            call()
        finally:
            sys.stdout.flush()
            os._exit(0)
    os.waitpid(child, 0)


def changed(label, name, call):
    """Which of the times of a name a call changes."""
    def times():
        s = os.lstat(name)
        return s.st_atime_ns, s.st_mtime_ns, s.st_ctime_ns

    before = times()
    time.sleep(0.012)
    case(label, lambda: after(call, lambda: "".join(k for k, a, b in zip("amc", before, times()) if a != b)))


def set_flags(name, flags):
    fd = os.open(name, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, 0x40086602, struct.pack("l", flags))
    finally:
        os.close(fd)


def get_flags(name):
    fd = os.open(name, os.O_RDONLY)
    try:
        return hex(struct.unpack("l", fcntl.ioctl(fd, 0x80086601, bytes(8)))[0])
    finally:
        os.close(fd)


def acl(*entries):
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, bits, who & 0xffffffff) for tag, who, bits in entries)


def entries(value):
    return [(tag, bits, who if who != 0xffffffff else -1) for tag, bits, who in struct.iter_unpack("<HHI", value[4:])]


def opening():
    make("file", b"hello")
    os.mkdir("dir")
    for target, name in (("file", "link"), ("absent", "dangling"), ("dir", "dirlink"), ("loop", "loop")):
        os.symlink(target, name)
    ways = (("read", os.O_RDONLY), ("write", os.O_WRONLY), ("directory", os.O_DIRECTORY), ("nofollow", os.O_NOFOLLOW), ("path", os.O_PATH | os.O_NOFOLLOW),
            ("exclusive", os.O_CREAT | os.O_EXCL | os.O_WRONLY), ("create a directory", os.O_DIRECTORY | os.O_CREAT), ("direct", os.O_DIRECT), ("noatime", os.O_NOATIME))
    for name in ("file", "dir", "link", "dangling", "dirlink", "loop", "file/x", "dirlink/", "file/", "", "x" * 256):
        for way, flags in ways:
            case(f"{name[:8]!r} {way}", open_close, name, flags)
    for way, flags in (("read and write", os.O_RDWR), ("read", os.O_RDONLY), ("exclusive", os.O_RDWR | os.O_EXCL)):
        def unnamed():
            fd = os.open("dir", os.O_TMPFILE | flags, 0o640)
            seen = oct(os.fstat(fd).st_mode), os.fstat(fd).st_nlink
            try:
                linkat(AT_FDCWD, f"/proc/self/fd/{fd}", f"dir/{way}", AT_SYMLINK_FOLLOW)
                return seen, os.fstat(fd).st_nlink
            finally:
                os.close(fd)
        case(f"unnamed, {way}", unnamed)
    case("modes", lambda: after(lambda: (os.umask(0o027), make("m", mode=0o7777), os.umask(0o022)), lambda: mode("m")))


def names():
    make("file")
    os.mkdir("dir")
    make("dir/inside")
    os.symlink("file", "link")
    os.mkfifo("fifo")
    cases([
        ("link", lambda: after(lambda: os.link("file", "other"), lambda: os.stat("file").st_nlink)), ("link again", lambda: os.link("file", "other")),
        ("link a directory", lambda: os.link("dir", "d2")), ("link absent", lambda: os.link("absent", "x")), ("link below a file", lambda: os.link("file", "file/x")),
        ("link a link", lambda: after(lambda: os.link("link", "l2", follow_symlinks=False), lambda: os.lstat("l2").st_nlink)),
        ("link, name too long", lambda: os.link("file", "y" * 256)), ("unlink a directory", lambda: os.unlink("dir")), ("unlink with a slash", lambda: os.unlink("file/")),
        ("unlink .", lambda: os.unlink(".")), ("unlink absent", lambda: os.unlink("absent")), ("rmdir a file", lambda: os.rmdir("file")), ("rmdir a full one", lambda: os.rmdir("dir")),
        ("rmdir .", lambda: os.rmdir("dir/.")), ("rmdir ..", lambda: os.rmdir("dir/..")), ("rmdir a link", lambda: os.rmdir("link")),
        ("mkdir where a file is", lambda: os.mkdir("file")), ("mkdir with modes", lambda: after(lambda: os.mkdir("modes", 0o7777), lambda: mode("modes"))),
        ("mkdir counts", lambda: after(lambda: os.mkdir("dir/sub"), lambda: os.stat("dir").st_nlink)), ("symlink, empty", lambda: os.symlink("", "e")),
        ("symlink, longest", lambda: after(lambda: os.symlink("a" * 4095, "long"), lambda: os.lstat("long").st_size)), ("symlink, too long", lambda: os.symlink("a" * 4096, "l3")),
        ("symlink, 60", lambda: after(lambda: os.symlink("b" * 60, "s60"), lambda: (os.readlink("s60") == "b" * 60, os.lstat("s60").st_blocks > 0))),
        ("readlink of a file", lambda: os.readlink("file")), ("mknod", lambda: after(lambda: os.mknod("null", stat.S_IFCHR | 0o640, os.makedev(1, 3)), lambda: (mode("null"), os.lstat("null").st_rdev))),
        ("mknod of great numbers", lambda: after(lambda: os.mknod("great", stat.S_IFBLK, os.makedev(4095, 1048575)), lambda: os.lstat("great").st_rdev)),
        ("mknod without a kind", lambda: after(lambda: os.mknod("plain", 0o644), lambda: mode("plain"))), ("mknod of a directory", lambda: os.mknod("x", stat.S_IFDIR)),
        ("socket", lambda: after(lambda: socket.socket(socket.AF_UNIX).bind("sock"), lambda: mode("sock"))), ("open a socket", lambda: os.open("sock", os.O_RDONLY)),
    ])
    fd = os.open("file", os.O_RDWR)
    os.unlink("file")
    os.unlink("other")
    cases([
        ("gone, links", lambda: os.fstat(fd).st_nlink), ("gone, write", lambda: os.pwrite(fd, b"abc", 10)), ("gone, chmod", lambda: os.fchmod(fd, 0o600)),
        ("gone, attribute", lambda: os.setxattr(fd, "user.a", b"v")), ("gone, link again", lambda: linkat(AT_FDCWD, f"/proc/self/fd/{fd}", "back", AT_SYMLINK_FOLLOW)),
    ])
    os.mkdir("gone")
    folder = os.open("gone", os.O_RDONLY)
    os.rmdir("gone")
    cases([
        ("create in a removed directory", lambda: os.open("x", os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=folder)), ("mkdir there", lambda: os.mkdir("x", dir_fd=folder)),
        ("rename to there", lambda: os.rename("fifo", "x", dst_dir_fd=folder)), ("list it", lambda: os.listdir(folder)), ("its links", lambda: os.fstat(folder).st_nlink),
    ])


def renames():
    def fresh():
        shutil.rmtree("r", ignore_errors=True)
        os.makedirs("r/tree/sub/deep")
        for name in ("empty", "other", "full"):
            os.mkdir(f"r/{name}")
        for name in ("file", "second", "full/inside"):
            make(f"r/{name}")
        os.link("r/file", "r/hard")
        os.symlink("file", "r/link")

    places = ("file", "second", "hard", "empty", "other", "full", "link", "absent", "tree", "tree/sub", "tree/sub/deep", ".", "file/", "empty/", "new", "new/", "tree/sub/deep/new")
    clean = False
    for flags in (0, NOREPLACE, EXCHANGE, NOREPLACE | EXCHANGE, WHITEOUT, WHITEOUT | NOREPLACE, WHITEOUT | EXCHANGE):
        for a in places if flags < 3 else ("file", "full", "absent", "tree/sub"):
            for b in places if flags < 3 else ("second", "hard", "empty", "new", "tree/new", "tree/sub/deep/new"):
                if not clean:
                    fresh()
                try:
                    rename2(f"r/{a}", f"r/{b}", flags)
                    outcome = [sorted((n, stat.S_IFMT(s.st_mode), s.st_nlink) for n in os.listdir(d) for s in [os.lstat(f"{d}/{n}")])
                               for d in ("r", "r/tree", "r/tree/sub") if os.path.isdir(d)]
                    outcome, clean = f"{len(outcome)} {sum((n for l in outcome for _, _, n in l))} {outcome[0]}", False
                except OSError as e:
                    outcome, clean = errno.errorcode[e.errno], True
                print(f"{group}: {a} {b} {flags} = {outcome}")


def sticky():
    for folder, bits in (("sticky", 0o1777), ("open", 0o777)):
        os.mkdir(folder)
        os.chmod(folder, bits)
        for user in (0, 1000, 1001):
            make(f"{folder}/f{user}")
            os.chown(f"{folder}/f{user}", user, user)
            os.mkdir(f"{folder}/d{user}")
            os.chown(f"{folder}/d{user}", user, user)

    def use():
        for folder in ("sticky", "open"):
            for user in (1001, 0, 1000):
                cases([
                    (f"{folder} rename {user}", lambda: os.rename(f"{folder}/f{user}", f"{folder}/g{user}")),
                    (f"{folder} exchange {user}", lambda: after(lambda: make(f"{folder}/mine{user}"), lambda: rename2(f"{folder}/mine{user}", f"{folder}/d{user}", EXCHANGE))),
                    (f"{folder} unlink {user}", lambda: os.unlink(f"{folder}/f{user}")), (f"{folder} rmdir {user}", lambda: os.rmdir(f"{folder}/d{user}")),
                ])
    as_user(1000, use)


def owners():
    os.chmod(".", 0o777)
    make("mine", b"data")
    os.chown("mine", 1000, 1000)
    make("roots", b"data")
    for bits in (0o7777, 0o2644, 0o4644):
        as_user(1000, lambda: case(f"chmod {bits:o}", lambda: after(lambda: os.chmod("mine", bits), lambda: mode("mine"))))
    as_user(1000, lambda: cases([
        ("chmod what is another's", lambda: os.chmod("roots", 0o777)), ("give away", lambda: os.chown("mine", 1001, -1)), ("to a group not one's own", lambda: os.chown("mine", -1, 2000)),
        ("to a group of one's own", lambda: os.chown("mine", -1, 3000)), ("truncate", lambda: os.truncate("roots", 0)), ("noatime", lambda: os.open("roots", os.O_NOATIME)),
        ("trusted attribute", lambda: os.setxattr("mine", "trusted.a", b"x")), ("security attribute", lambda: os.setxattr("mine", "security.a", b"x")),
        ("device", lambda: os.mknod("c", stat.S_IFCHR, os.makedev(1, 3))), ("immutable", lambda: set_flags("mine", EXTENTS | IMMUTABLE)),
    ]), (3000,))
    for bits in (0o6777, 0o6767, 0o2747, 0o6644):
        for label, call in (("root's chown", lambda: os.chown("k", 1000, 1000)), ("root's chown to nobody", lambda: os.chown("k", -1, -1)), ("root's chgrp", lambda: os.chown("k", -1, 1000))):
            make("k")
            os.chmod("k", bits)
            case(f"{label} {bits:o}", lambda: after(call, lambda: mode("k")))
    make("source", b"source")
    writes = (
        ("write", lambda fd: os.pwrite(fd, b"x", 0)), ("write nothing", lambda fd: os.write(fd, b"")), ("truncate", lambda fd: os.ftruncate(fd, 1)), ("allocate", lambda fd: fallocate(fd, 0, 0, PAGE)),
        ("punch", lambda fd: fallocate(fd, PUNCH | KEEP_SIZE, 0, PAGE)), ("zero", lambda fd: fallocate(fd, ZERO, 0, PAGE)),
        ("copy", lambda fd: os.copy_file_range(os.open("source", os.O_RDONLY), fd, 3)))
    os.chmod("source", 0o644)
    for bits in (0o6777, 0o6767, 0o2747, 0o6644):
        for user, groups in ((0, ()), (1001, ()), (1001, (1000,))):
            for label, call in writes:
                make("w", b"data")
                fd = os.open("w", os.O_RDWR)
                os.chown("w", 1000, 1000)
                os.chmod("w", bits)
                as_user(user, lambda: case(f"{label} {bits:o} by {user}{groups}", lambda: after(lambda: call(fd), lambda: mode("w"))), groups)
                os.close(fd)
    for label, call in (("write", lambda: os.truncate("w", 9)), ("chown", lambda: os.chown("w", 0, 0)), ("chmod", lambda: os.chmod("w", 0o755)), ("touch", lambda: os.utime("w"))):
        os.setxattr("w", "security.capability", CAPABILITY)
        case(f"capability after {label}", lambda: after(call, lambda: os.getxattr("w", "security.capability") == CAPABILITY))
    os.mkdir("setgid")
    os.chown("setgid", 0, 4000)
    os.chmod("setgid", 0o2777)
    for groups in ((), (4000,)):
        shutil.rmtree("setgid/d", ignore_errors=True)
        for name in os.listdir("setgid"):
            os.unlink(f"setgid/{name}")
        as_user(1000, lambda: (os.umask(0), cases([
            (f"in a setgid directory, file {groups}", lambda: after(lambda: make("setgid/f", mode=0o2775), lambda: (mode("setgid/f"), os.stat("setgid/f").st_gid))),
            (f"in a setgid directory, directory {groups}", lambda: after(lambda: os.mkdir("setgid/d"), lambda: (mode("setgid/d"), os.stat("setgid/d").st_gid))),
            (f"in a setgid directory, node {groups}", lambda: after(lambda: os.mknod("setgid/n", 0o2755 | stat.S_IFREG), lambda: (mode("setgid/n"), os.stat("setgid/n").st_gid))),
        ])), groups)


def times():
    make("u")
    os.chown("u", 1000, 1000)
    os.chmod("u", 0o666)
    settings = (
        ("null", None, None), ("both now", (0, UTIME_NOW), (0, UTIME_NOW)), ("both stay", (0, UTIME_OMIT), (0, UTIME_OMIT)), ("now, stay", (0, UTIME_NOW), (0, UTIME_OMIT)), ("5, stay", (5, 6), (0, UTIME_OMIT)),
        ("stay, 7", (0, UTIME_OMIT), (7, 8)), ("bad", (5, 1000000000), (0, 0)), ("before 1970", (-5, 6), (-1, 999999999)), ("the last", (15032385535, 1), (4294967296, 0)), ("too late", (1 << 40, 1), (1 << 40, 0)),
        ("too early", (-(1 << 40), 1), (-(1 << 33), 0)))

    def set_all(who):
        for label, access, modify in settings:
            def both():
                utimensat("u", access, modify)
                s = os.stat("u")
                return ["now" if abs(t / 1e9 - time.time()) < 60 else t for t in (s.st_atime_ns, s.st_mtime_ns)]
            case(f"{who}: {label}", both)
    set_all("root")
    as_user(1000, lambda: set_all("owner"))
    as_user(1001, lambda: set_all("writer"))
    os.chmod("u", 0o644)
    as_user(1001, lambda: set_all("reader"))
    make("f", b"hello world")
    os.mkdir("d")
    fd = os.open("f", os.O_RDWR)
    for label, call in (
            ("write", lambda: os.pwrite(fd, b"x", 0)), ("write nothing", lambda: os.write(fd, b"")), ("truncate to the same", lambda: os.ftruncate(fd, 11)), ("truncate", lambda: os.ftruncate(fd, 4)),
            ("chmod", lambda: os.chmod("f", 0o600)), ("chown to nobody", lambda: os.chown("f", -1, -1)), ("attribute", lambda: os.setxattr("f", "user.a", b"1")), ("attribute removed", lambda: os.removexattr("f", "user.a")),
            ("link", lambda: os.link("f", "f2")), ("unlink", lambda: os.unlink("f2")), ("allocate inside", lambda: fallocate(fd, 0, 0, 2)), ("allocate", lambda: fallocate(fd, 0, 0, 20000)),
            ("punch", lambda: fallocate(fd, PUNCH | KEEP_SIZE, PAGE, PAGE)), ("flags", lambda: set_flags("f", 0x80 | EXTENTS)), ("flags back", lambda: set_flags("f", EXTENTS)), ("fsync", lambda: os.fsync(fd)),
            ("rename", lambda: (os.rename("f", "g"), os.rename("g", "f")))):
        changed(label, "f", call)
    for label, call in (("create", lambda: make("d/n")), ("mkdir", lambda: os.mkdir("d/s")), ("rename inside", lambda: os.rename("d/n", "d/m")), ("unlink", lambda: os.unlink("d/m")), ("rmdir", lambda: os.rmdir("d/s"))):
        changed(f"directory, {label}", "d", call)


def ranges():
    fd = os.open("f", os.O_RDWR | os.O_CREAT)

    def look():
        content, runs = os.pread(fd, 1 << 20, 0), []
        for i, byte in enumerate(content):
            if i == 0 or byte != content[i - 1]:
                runs.append((i, byte))
        return os.fstat(fd).st_size, os.fstat(fd).st_blocks, runs

    for what in (0, KEEP_SIZE, PUNCH, PUNCH | KEEP_SIZE, 4, ZERO, ZERO | KEEP_SIZE, 0x80):
        os.ftruncate(fd, 0)
        os.pwrite(fd, b"D" * 20000, 0)
        os.fsync(fd)
        for offset, length in ((1000, 9000), (PAGE, 2 * PAGE), (18000, 8000), (-1, 1), (0, 0), (0, -1), (1 << 62, 1 << 62), (17 << 40, PAGE)):
            case(f"fallocate {what} {offset} {length}", lambda: after(lambda: fallocate(fd, what, offset, length), look))
    os.ftruncate(fd, 0)
    for label, prepare in (
            ("empty", lambda: None), ("hole", lambda: os.ftruncate(fd, 1 << 20)), ("data at the end", lambda: os.pwrite(fd, b"x" * PAGE, (1 << 20) - PAGE)), ("data inside", lambda: os.pwrite(fd, b"x" * 10, 100000)),
            ("allocated", lambda: fallocate(fd, 0, 200000, 100000)), ("written there", lambda: os.pwrite(fd, b"y" * 5000, 250000)), ("synced", lambda: os.fsync(fd)), ("punched", lambda: fallocate(fd, PUNCH | KEEP_SIZE, 98304, 8192)),
            ("an odd size", lambda: os.ftruncate(fd, (1 << 20) - 1000))):
        prepare()
        for offset in (0, 1, 98304, 100010, 196608, 250000, 258048, 300000, (1 << 20) - 4097, (1 << 20) - 1000, 1 << 20, -1):
            case(f"{label}, data from {offset}", os.lseek, fd, offset, os.SEEK_DATA)
            case(f"{label}, hole from {offset}", os.lseek, fd, offset, os.SEEK_HOLE)
    make("a", bytes(range(256)) * 100)
    a, b, folder = os.open("a", os.O_RDWR), os.open("b", os.O_RDWR | os.O_CREAT), os.open(".", os.O_RDONLY)
    append = os.open("b", os.O_WRONLY | os.O_APPEND)
    copy = os.copy_file_range
    cases([
        ("copy", lambda: (copy(a, b, 10000, 5, 7), os.fstat(b).st_size)), ("copy past the end", lambda: copy(a, b, 100, 1 << 20, 0)), ("copy over the end", lambda: copy(a, b, 100000, 25000, 0)),
        ("copy onto itself", lambda: copy(a, a, 1000, 0, 500)), ("copy within", lambda: copy(a, a, 1000, 0, 5000)), ("copy to what appends", lambda: copy(a, append, 10)), ("copy a directory", lambda: copy(folder, b, 10)),
        ("clone", lambda: fcntl.ioctl(b, 0x40049409, a)), ("sendfile", lambda: os.sendfile(b, a, 0, 100)), ("allocate through what appends", lambda: fallocate(append, 0, 0, 10)), ("allocate a directory", lambda: fallocate(folder, 0, 0, 10)),
        ("size below zero", lambda: os.ftruncate(fd, -1)), ("size too great", lambda: os.ftruncate(fd, 17 << 40)), ("write too far", lambda: os.pwrite(fd, b"x", 16 << 40)), ("truncate a directory", lambda: os.truncate(".", 0)),
        ("append ignores the offset", lambda: after(lambda: os.ftruncate(b, 10), lambda: (os.pwrite(append, b"abc", 0), os.fstat(b).st_size))),
    ])
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def direct():
    make("f", b"0" * 20000)
    fd, cached = os.open("f", os.O_RDWR | os.O_DIRECT), os.open("f", os.O_RDWR)
    memory = memoryview(mmap.mmap(-1, 1 << 20))
    for offset, length in ((0, PAGE), (512, 512), (100, PAGE), (0, 100), (0, 0), (3, 0), (16384, PAGE), (16384, 8192), (19456, 512), (1 << 30, PAGE)):
        case(f"read {offset} {length}", lambda: os.preadv(fd, [memory[:length]], offset))
    for offset, length in ((0, PAGE), (512, 512), (100, PAGE), (0, 100), (3, 0), (20480, PAGE), (40960, 512), (17 << 40, PAGE)):
        case(f"write {offset} {length}", lambda: (os.pwritev(fd, [memory[:length]], offset), os.fstat(fd).st_size))
    memory[:PAGE] = b"Q" * PAGE
    cases([
        ("vector with an odd part", lambda: os.preadv(fd, [memory[:1000], memory[8192:12288]], 0)), ("durable", lambda: os.pwritev(fd, [memory[:PAGE]], 0, os.RWF_DSYNC)),
        ("hole", lambda: (os.ftruncate(fd, 0), os.ftruncate(fd, 100000), os.pwritev(fd, [memory[:PAGE]], 8192), os.fstat(fd).st_blocks)[2:]),
        ("part of an unwritten block", lambda: (fallocate(fd, 0, 0, 65536), os.pwritev(fd, [memory[:512]], 16384), os.pread(cached, PAGE, 16384) == b"Q" * 512 + bytes(3584))[2:]),
        ("behind a gap", lambda: (os.ftruncate(fd, 1000), os.pwritev(fd, [memory[:PAGE]], 8192), os.pread(cached, 7192, 1000) == bytes(7192))[2:]),
        ("the last part of a file", lambda: (os.ftruncate(fd, 5000), os.preadv(fd, [memory[:PAGE]], PAGE), os.preadv(fd, [memory[:512]], 4608), os.preadv(fd, [memory[:512]], 8192))[1:]),
    ])


def mappings():
    fd = os.open("f", os.O_RDWR | os.O_CREAT)
    os.ftruncate(fd, 4 * PAGE)
    mapped = mmap.mmap(fd, 4 * PAGE)
    reading, writing, straight = os.open("f", os.O_RDONLY), os.open("f", os.O_WRONLY), os.open("f", os.O_RDWR | os.O_DIRECT)
    page = mmap.mmap(-1, PAGE)

    def store(offset, content):
        mapped[offset:offset + len(content)] = content

    cases([
        ("stored, read", lambda: after(lambda: store(PAGE, b"abc"), lambda: os.pread(fd, 3, PAGE))), ("written, seen", lambda: after(lambda: os.pwrite(fd, b"def", 2 * PAGE), lambda: mapped[2 * PAGE:2 * PAGE + 3])),
        ("stored, read directly", lambda: after(lambda: os.preadv(straight, [page], PAGE), lambda: page[:3])),
        ("written directly, seen", lambda: after(lambda: (page.__setitem__(slice(0, 3), b"ghi"), os.pwritev(straight, [page], PAGE)), lambda: mapped[PAGE:PAGE + 3])),
        ("punched, seen", lambda: after(lambda: fallocate(fd, PUNCH | KEEP_SIZE, PAGE, PAGE), lambda: mapped[PAGE:PAGE + 3])),
        ("cut, seen", lambda: after(lambda: (os.ftruncate(fd, PAGE + 10), os.ftruncate(fd, 4 * PAGE)), lambda: mapped[2 * PAGE:2 * PAGE + 3])),
        ("stored in a hole", lambda: after(lambda: (store(3 * PAGE, b"k"), mapped.flush()), lambda: os.fstat(fd).st_blocks)),
        ("private", lambda: after(lambda: mmap.mmap(fd, PAGE, flags=mmap.MAP_PRIVATE).__setitem__(0, 7), lambda: os.pread(fd, 1, 0))),
        ("of what is open for reading", lambda: mmap.mmap(reading, PAGE)), ("of what is open for writing", lambda: mmap.mmap(writing, PAGE)), ("of what is open for direct I/O", lambda: mmap.mmap(straight, PAGE)[0]),
    ])


def attributes():
    make("f")
    os.mkdir("d")
    os.symlink("f", "l")
    setx, getx, removex = os.setxattr, os.getxattr, os.removexattr
    cases([
        ("none", lambda: getx("f", "user.none")), ("set", lambda: setx("f", "user.a", b"1")), ("create what is there", lambda: setx("f", "user.a", b"2", os.XATTR_CREATE)),
        ("replace what is not", lambda: setx("f", "user.b", b"3", os.XATTR_REPLACE)), ("both, absent", lambda: setx("f", "user.b", b"3", 3)), ("both, there", lambda: setx("f", "user.a", b"3", 3)), ("empty", lambda: after(lambda: setx("f", "user.e", b""), lambda: getx("f", "user.e"))),
        ("no prefix", lambda: setx("f", "foo", b"1")), ("only a prefix", lambda: setx("f", "user.", b"1")), ("of the system", lambda: setx("f", "system.foo", b"1")), ("get of the system", lambda: getx("f", "system.foo")),
        ("get without a prefix", lambda: getx("f", "foo.bar")), ("longest name", lambda: setx("f", "user." + "n" * 250, b"1")), ("too long a name", lambda: setx("f", "user." + "n" * 251, b"1")), ("remove none", lambda: removex("f", "user.none")),
        ("list", lambda: sorted(n[:10] for n in os.listxattr("f"))), ("of a link", lambda: setx("l", "user.a", b"1", 0, follow_symlinks=False)), ("trusted of a link", lambda: setx("l", "trusted.a", b"1", 0, follow_symlinks=False)),
        ("too large", lambda: setx("f", "user.large", b"z" * 65537)), ("no access list", lambda: getx("f", ACCESS_ACL)), ("default list of a file", lambda: setx("f", DEFAULT_ACL, acl((OWNER, -1, 7), (GROUP, -1, 7), (OTHER, -1, 7)))),
        ("remove no list", lambda: removex("d", DEFAULT_ACL)), ("bad list", lambda: setx("f", ACCESS_ACL, b"junk")), ("list without a mask", lambda: setx("f", ACCESS_ACL, acl((OWNER, -1, 7), (USER, 5, 7), (GROUP, -1, 7), (OTHER, -1, 7)))),
        ("list out of order", lambda: setx("f", ACCESS_ACL, acl((OTHER, -1, 7), (OWNER, -1, 7), (GROUP, -1, 7)))), ("least list", lambda: after(lambda: setx("f", ACCESS_ACL, acl((OWNER, -1, 6), (GROUP, -1, 4), (OTHER, -1, 0))), lambda: (mode("f"), ACCESS_ACL in os.listxattr("f")))),
        ("list", lambda: after(lambda: setx("f", ACCESS_ACL, acl((OWNER, -1, 7), (USER, 1000, 6), (GROUP, -1, 5), (MASK, -1, 6), (OTHER, -1, 4))), lambda: (mode("f"), entries(getx("f", ACCESS_ACL))))),
        ("chmod changes the mask", lambda: after(lambda: os.chmod("f", 0o751), lambda: (mode("f"), entries(getx("f", ACCESS_ACL))))), ("removed", lambda: after(lambda: removex("f", ACCESS_ACL), lambda: mode("f"))),
        ("default list", lambda: setx("d", DEFAULT_ACL, acl((OWNER, -1, 7), (USER, 1000, 7), (GROUP, -1, 5), (MASK, -1, 7), (OTHER, -1, 1)))),
    ])
    make("d/file", mode=0o666)
    os.mkdir("d/dir", 0o777)
    for name in ("file", "dir"):
        case(f"inherited by a {name}", lambda: (mode(f"d/{name}"), sorted(os.listxattr(f"d/{name}")), entries(getx(f"d/{name}", ACCESS_ACL))))


def flags():
    for name in ("f", "d"):
        make("f", b"1") if name == "f" else os.mkdir("d")
        for label, bits in (("sync", 8), ("no dump", 0x40), ("compress", 4), ("index", 0x1000), ("imagic", 0x2000), ("directory sync", 0x10000), ("top directory", 0x20000), ("huge", 0x40000), ("verity", 0x100000), ("attribute inode", 0x200000), ("reserved", 0x80000000)):
            case(f"{label} of {name}", lambda: after(lambda: set_flags(name, EXTENTS | bits), lambda: get_flags(name)))
            set_flags(name, EXTENTS)
    case("trim too short", lambda: fcntl.ioctl(os.open(".", os.O_RDONLY), 0xc0185879, struct.pack("QQQ", 0, 100, 0)))
    case("label", lambda: fcntl.ioctl(os.open(".", os.O_RDONLY), 0x81009431, bytes(256)).rstrip(b"\0"))
    for name, bits in (("immutable", IMMUTABLE), ("append", APPEND_ONLY)):
        make(name, b"data")
        os.mkdir(f"{name}d")
        make(f"{name}d/x")
        make(f"{name}out")
        fd, end = os.open(name, os.O_RDWR), os.open(name, os.O_WRONLY | os.O_APPEND)
        set_flags(name, EXTENTS | bits)
        set_flags(f"{name}d", EXTENTS | bits)
        cases([(f"{name}, {label}", call) for label, call in (
            ("open", lambda: open_close(name, os.O_WRONLY)), ("open to append", lambda: open_close(name, os.O_WRONLY | os.O_APPEND)), ("open and cut", lambda: open_close(name, os.O_WRONLY | os.O_APPEND | os.O_TRUNC)),
            ("truncate", lambda: os.truncate(name, 1)), ("chmod", lambda: os.chmod(name, 0o600)), ("chown", lambda: os.chown(name, 2, 2)), ("touch", lambda: os.utime(name)), ("set times", lambda: os.utime(name, (1, 1))),
            ("attribute", lambda: os.setxattr(name, "user.b", b"1")), ("link", lambda: os.link(name, f"{name}2")), ("rename", lambda: os.rename(name, f"{name}3")), ("replace", lambda: os.rename(f"{name}out", name)), ("unlink", lambda: os.unlink(name)),
            ("create inside", lambda: open_close(f"{name}d/new", os.O_CREAT | os.O_WRONLY)), ("unlink inside", lambda: os.unlink(f"{name}d/x")), ("rename out of it", lambda: os.rename(f"{name}d/x", "x")), ("rmdir", lambda: os.rmdir(f"{name}d")),
            ("write by who has it open", lambda: os.pwrite(fd, b"x", 0)), ("append by who has it open", lambda: os.write(end, b"x")), ("cut by who has it open", lambda: os.ftruncate(fd, 2)), ("allocate", lambda: fallocate(fd, 0, 0, 100)),
            ("punch", lambda: fallocate(fd, PUNCH | KEEP_SIZE, 0, 100)), ("copy to it", lambda: os.copy_file_range(os.open("f", os.O_RDONLY), fd, 1, 0, 0)))])
        set_flags(name, EXTENTS)
        set_flags(f"{name}d", EXTENTS)


def directories():
    os.mkdir("d")
    for i in range(1500):
        make(f"d/n{i:04}")
    names = set()
    with os.scandir("d") as listing:
        for entry in listing:
            names.add(entry.name)
            os.unlink(f"d/{entry.name}")
    case("removed while listed", lambda: (len(names), os.listdir("d")))
    case("odd names", lambda: after(lambda: [make(b"d/" + n) for n in (b"\xff\xfe", b"\n", b"x" * 255, b"...")], lambda: sorted(len(n) for n in os.listdir(b"d"))))
    case("many directories", lambda: after(lambda: [os.mkdir(f"d/{i}") for i in range(200)], lambda: os.stat("d").st_nlink))


def handles():
    make("f", b"content")
    os.mkdir("d")
    make("d/inside", b"more")
    root = os.open(".", os.O_RDONLY)

    def handle(name):
        buffer = ctypes.create_string_buffer(struct.pack("Ii", 128, 0), 200)
        check(libc.name_to_handle_at(AT_FDCWD, name.encode(), buffer, ctypes.byref(ctypes.c_int()), 0))
        return buffer

    def opened(buffer):
        fd = check(libc.open_by_handle_at(root, buffer, os.O_RDONLY))
        try:
            return os.read(fd, 10)
        finally:
            os.close(fd)

    file, folder, inside = handle("f"), handle("d"), handle("d/inside")
    os.rename("f", "g")
    case("after a rename", lambda: opened(file))
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w") as drop:
        drop.write("2")
    case("after the kernel has forgotten", lambda: opened(inside))
    case("a directory", lambda: after(lambda: os.close(check(libc.open_by_handle_at(root, folder, os.O_RDONLY))), lambda: "opened"))
    os.unlink("g")
    case("after its end", lambda: opened(file))
    make("new")
    case("after another took its place", lambda: opened(file))


def main(folder, wanted):
    global group
    os.umask(0o022)
    for run in (opening, names, renames, sticky, owners, times, ranges, direct, mappings, attributes, flags, directories, handles):
        group = run.__name__
        if not wanted or group in wanted:
            os.chdir(folder)
            os.mkdir(group)
            os.chmod(group, 0o777)
            os.chdir(group)
            run()


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]), sys.argv[2:])
