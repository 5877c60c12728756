# SPDX-License-Identifier: GPL-3.0-or-later
"""Random operations on a served disk and on a plain one, which is equal whenever something was flushed; and servers
that are killed among them: each sector is what was flushed, or what was written to it since."""

import os
import random
import signal
import threading
import time

import nbd
from scene import PAGE, SECTOR, Server, composed, have, make, model, run

SIZE = 4 * 1024 * 1024 + 700  # the last sector is not a whole one


def any_range(choice, size):
    """Mostly small, often at the edge of something, seldom at the end of the disk."""
    n = choice.choice([1, SECTOR, PAGE, choice.randrange(1, 3 * PAGE), choice.randrange(1, 3 * PAGE), 16 * PAGE,
                       choice.randrange(1, 64 * PAGE)])
    at = choice.randrange(size)
    if choice.randrange(3):
        at -= at % choice.choice([SECTOR, PAGE])
    if not choice.randrange(20):
        at = size - n
    return at, min(n, size - at)


def trimmed(at, n, size):
    """The whole pages of a range; one that the disk's end cuts is whole."""
    first, end = -(-at // PAGE) * PAGE, at + n
    return first, max(first, end if end == size else end // PAGE * PAGE)


class Plain:
    """What the disk has to be, and what each sector may be if the server dies now."""

    def __init__(self, disk):
        self.now = bytearray(disk)
        self.since = {}  # sector: what it was at the last flush, and after each write since

    def change(self, at, data):
        if not data:
            return
        for sector in range(at // SECTOR, (at + len(data) - 1) // SECTOR + 1):
            self.since.setdefault(sector, [self.sector(sector)])
        self.now[at : at + len(data)] = data
        for sector in range(at // SECTOR, (at + len(data) - 1) // SECTOR + 1):
            self.since[sector].append(self.sector(sector))

    def sector(self, number):
        return bytes(self.now[number * SECTOR : (number + 1) * SECTOR])

    def flushed(self):
        self.since.clear()

    def check_after_kill(self, disk):
        """And goes on from what is there."""
        for sector in range(-(-len(disk) // SECTOR)):
            there = disk[sector * SECTOR : (sector + 1) * SECTOR]
            may = self.since.get(sector) or [self.sector(sector)]
            have(there in may, f"sector {sector} is neither as it was flushed nor as it was written since "
                               f"({len(may)} versions)")
        self.now[:] = disk
        self.since.clear()


def step(choice, client, plain):
    """One operation. Whether all is on the disk afterwards. What was begun is in `plain` before it is asked for: a
    server that dies may have done it."""
    kind = choice.randrange(10)
    at, n = any_range(choice, len(plain.now))
    flags = 0 if choice.randrange(12) else nbd.FUA
    if kind < 3:
        have(client.read(at, n) == plain.now[at : at + n], f"read {at}+{n}: other bytes than were written")
        return False
    if kind == 3 and not choice.randrange(4):
        have(client.flush() == 0, "flush")
        return True
    if kind < 7:
        data = choice.randbytes(n)
        plain.change(at, data)
        have(client.write(at, data, flags) == 0, f"write {at}+{n}")
    elif kind < 9:
        plain.change(at, bytes(n))
        flags |= choice.choice([0, nbd.NO_HOLE, nbd.FAST_ZERO])
        have(client.zero(at, n, flags) == 0, f"zero {at}+{n}")
    else:
        first, end = trimmed(at, n, len(plain.now))
        plain.change(first, bytes(end - first))
        have(client.trim(at, n, flags) == 0, f"trim {at}+{n}")
    return bool(flags & nbd.FUA)


def at_random(binary, directory, seed, operations):
    """Two clients in turn; at each flush the files are composed by a reader of its own."""
    choice = random.Random(seed)
    image, backing = make(directory, SIZE, seed)
    backing_was = os.stat(backing)
    plain, flushes = Plain(composed(image, backing)), 0
    server = Server(binary, image, "--write", "-y")
    try:
        clients = [server.client(), server.client()]
        have(clients[0].size_bytes == SIZE, "the disk has another size")
        for i in range(operations):
            if step(choice, choice.choice(clients), plain):
                plain.flushed()
                flushes += 1
                have(composed(image, backing) == plain.now, f"after {i + 1} operations: flushed, and it is not there")
        for client in clients:
            client.close()
        server.end()
    finally:
        server.kill()
    have(composed(image, backing) == plain.now, "at the end it is another disk")
    have(not model.Image(image, "uml-cow-v3").mixed(), "pages are left mixed")
    run(binary, "check", "--quick", image)
    now = os.stat(backing)
    have((now.st_size, now.st_mtime_ns) == (backing_was.st_size, backing_was.st_mtime_ns), "the backing file changed")
    return f"{operations} operations, {flushes} flushes (seed {seed})"


def killed(binary, directory, seed, rounds):
    """kill -9 of the server, at any moment."""
    choice = random.Random(seed)
    image, backing = make(directory, SIZE, seed)
    plain, operations = Plain(composed(image, backing)), 0
    for number in range(rounds):
        server = Server(binary, image, "--write", "-y")
        try:
            victim, client = server.nbdkit(), server.client()
            delay = choice.random() * 0.15
            killer = threading.Thread(target=lambda v=victim, d=delay: (time.sleep(d), os.kill(v, signal.SIGKILL)))
            killer.start()
            try:
                while True:
                    if step(choice, client, plain):
                        plain.flushed()
                    operations += 1
            except (nbd.Gone, ConnectionError):
                pass
            killer.join()
            said = server.wait(2)
            have("signal 9" in said, f"round {number}: it does not say what happened: {said}")
        finally:
            server.kill()
        plain.check_after_kill(composed(image, backing))
    server = Server(binary, image, "--write", "-y")
    try:
        client = server.client()
        have(client.write(0, client.read(0, 1)) == 0, "a write after the last kill")
        client.close()
        server.end()
    finally:
        server.kill()
    have(composed(image, backing) == plain.now, "another disk after the last end")
    have(not model.Image(image, "uml-cow-v3").mixed(), "pages are left mixed by the last end")
    return f"killed {rounds} times among {operations} operations (seed {seed})"
