namespace Penstock.Outside.Volumes;

/// <summary>A tree with something of everything, made by the shell.</summary>
internal static class SampleTree
{
    /// <summary>Makes the tree in the current folder of a script.</summary>
    public const string Script = """
        mkdir -p plain/deep/er/still/deeper many odd links special sparse attrs
        for i in $(seq 1 40); do head -c $((i * i * 37)) /dev/urandom > plain/file-$i; done
        head -c 3000000 /dev/urandom > plain/deep/large
        : > plain/empty
        for i in $(seq 1 700); do echo "contents of file $i, which is short" > "many/a-file-with-a-rather-long-name-so-that-the-folder-grows-$i"; done
        echo a > 'odd/ space and	tab'; echo b > 'odd/naïve-ünïcödé-文件'; echo c > "odd/$(printf 'n%.0s' $(seq 1 255))"; echo d > odd/-dash; echo e > 'odd/quote"s'
        ln plain/file-1 links/hard-1; ln plain/file-1 links/hard-2
        ln -s ../plain/file-2 links/short; ln -s "/$(printf 'target/%.0s' $(seq 1 40))end" links/long; ln -s nowhere links/broken
        ln -s "$(printf 'x%.0s' $(seq 1 59))" links/fifty-nine; ln -s "$(printf 'x%.0s' $(seq 1 60))" links/sixty
        mkfifo special/fifo; mknod special/null c 1 3; mknod special/block b 259 70000
        truncate -s 50M sparse/hole; echo middle | dd of=sparse/hole bs=1 seek=20000000 conv=notrunc status=none; truncate -s 5000 sparse/short
        echo x > attrs/file; chmod 4755 attrs/file; echo y > attrs/owned; chown 1234:4321 attrs/owned; chown 70000:90000 links; chmod 1777 many; chmod 0 attrs/owned
        setfattr -n user.short -v value attrs/file; setfattr -n user.long -v "$(head -c 900 /dev/zero | tr '\0' v)" attrs/file; setfattr -n trusted.thing -v 0x0001ff attrs/file
        setfattr -n user.on-a-folder -v yes many; setfacl -m u:1234:rwx,g:4321:r attrs/file; setfacl -d -m u:99:rx attrs; setfacl -m u:7:r many
        touch -d '1975-03-04 05:06:07.123456789' plain/file-3; touch -d '2100-01-02 03:04:05.987654321' plain/file-4; touch -h -d '2001-01-01' links/short
        touch -d '2030-06-07 08:09:10.5' many odd links
        """;
}
