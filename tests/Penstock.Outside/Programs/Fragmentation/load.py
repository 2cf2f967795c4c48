"""Files that grow side by side, come, go and are overwritten: load.py FOLDER SEED STEPS. The same calls in the same order for each seed."""
import os
import random
import sys

folder, seed, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
chance = random.Random(seed)
block = 4096
content = os.urandom(400 * block)


def path(kind, number):
    return os.path.join(folder, f"d{number % 8}", f"{kind}{number}")


for i in range(8):
    os.mkdir(os.path.join(folder, f"d{i}"))

# Open all the time, and so is their growth: logs a little at a time and durable at once, data that is written back later, and files that are written in two places.
logs = [os.open(path("log", i), os.O_CREAT | os.O_WRONLY | os.O_APPEND) for i in range(10)]
data = [os.open(path("data", i), os.O_CREAT | os.O_WRONLY | os.O_APPEND) for i in range(6)]
tables = [os.open(path("table", i), os.O_CREAT | os.O_RDWR) for i in range(4)]
sizes = [0] * len(tables)
small = []
made = 0

for step in range(steps):
    what = chance.randrange(100)
    if what < 35:
        blocks = chance.randrange(16, 200) if chance.randrange(4) == 0 else chance.randrange(1, 16)
        with open(path("file", made), "wb") as file:
            file.write(content[:blocks * block - chance.randrange(block)])
        small.append(made)
        made += 1
    elif what < 50 and len(small) > 20:
        os.unlink(path("file", small.pop(chance.randrange(len(small)))))
    elif what < 70:
        log = logs[chance.randrange(len(logs))]
        os.write(log, content[:chance.randrange(1, 4 * block)])
        os.fdatasync(log)
    elif what < 80:
        os.write(data[chance.randrange(len(data))], content[:chance.randrange(16, 100) * block])
    elif what < 90:
        table = chance.randrange(len(tables))
        pages = chance.randrange(1, 32)
        os.pwrite(tables[table], content[:pages * block], sizes[table])
        sizes[table] += pages * block
        if chance.randrange(4) == 0:
            os.fsync(tables[table])
    elif what < 97:
        table = chance.randrange(len(tables))
        if sizes[table]:
            os.pwrite(tables[table], content[:2 * block], chance.randrange(sizes[table] // block) * block)
    elif small:
        victim = path("file", small[chance.randrange(len(small))])
        os.truncate(victim, os.path.getsize(victim) // 2)
    if step % 250 == 0:
        # Not sync: a FUSE server is not told of it.
        for descriptor in data + tables:
            os.fsync(descriptor)

for descriptor in logs + data + tables:
    os.fsync(descriptor)
    os.close(descriptor)
