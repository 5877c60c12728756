# SPDX-License-Identifier: GPL-3.0-or-later
"""An image in a directory of its own, and cowtui serving it."""

import os
import random
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "e2e"), HERE]
import model  # noqa: E402
from nbd import Client  # noqa: E402

SCALE = float(os.environ.get("TIME_SCALE") or 1)
PAGE, SECTOR = 4096, 512


class Wrong(Exception):
    """Not as it has to be."""


class Skip(Exception):
    """It cannot be had here, and why."""


def have(condition, words):
    if not condition:
        raise Wrong(words)


def wait_for(what, words, seconds=60):
    end = time.monotonic() + seconds * SCALE
    while not what():
        have(time.monotonic() < end, words)
        time.sleep(0.01)


def make(directory, size_bytes, seed):
    """x.cow on b.img: a third of the backing file are holes; every twentieth sector is dirty, and so many pages are mixed."""
    choice = random.Random(seed)
    backing, image = os.path.join(directory, "b.img"), os.path.join(directory, "x.cow")
    with open(backing, "wb") as file:
        file.truncate(size_bytes)
        for at in range(0, size_bytes, 16 * PAGE):
            if choice.randrange(3):
                file.seek(at)
                file.write(choice.randbytes(min(16 * PAGE, size_bytes - at)))
    sectors = -(-size_bytes // SECTOR)
    model.make(image, backing, PAGE, sorted({*choice.sample(range(sectors), sectors // 20), sectors - 1}))
    return image, backing


def composed(image, backing):
    return model.Image(image, "uml-cow-v3").compose(backing)


def children(pid):
    """The processes that a process has started."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                    if int(file.read().rpartition(")")[2].split()[1]) == pid:
                        found.append(int(name))
            except OSError:
                pass
    return found


def kill_all(process):
    """A process with all that it has started, if it is still there: of a case that fails."""
    if process.poll() is None:
        every = [process.pid]
        for pid in every:
            every += children(pid)
        for pid in every:
            os.kill(pid, signal.SIGKILL)
        process.wait()


class Server:
    """cowtui serve, from its URI to its end."""

    def __init__(self, binary, image, *options):
        self.process = subprocess.Popen([binary, "serve", "-q", *options, image], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.uri = self.process.stdout.readline().decode().strip()
        if not self.uri:
            raise Wrong(f"it does not serve: {self.process.communicate()[1].decode()}")
        self.path = self.uri.partition("socket=")[2]

    def client(self):
        return Client(self.path, 60 * SCALE)

    def nbdkit(self):
        """Its process: the child of the child."""
        return children(children(self.process.pid)[0])[0]

    def end(self, code=0):
        self.process.send_signal(signal.SIGTERM)
        return self.wait(code)

    def wait(self, code=0):
        """Waits for its end; the exit code, where it may be any, and what it said on standard error."""
        _, said = self.process.communicate(timeout=120 * SCALE)
        have(self.process.returncode == code, f"exit {self.process.returncode} instead of {code}: {said.decode()}")
        have(not os.path.exists(self.path), "the socket is left")
        return said.decode()

    def kill(self):
        kill_all(self.process)


def run(binary, *arguments, code=0):
    done = subprocess.run([binary, *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    have(done.returncode == code, f"{arguments[0]}: exit {done.returncode} instead of {code}: {done.stderr.decode()}")
    return done.stdout.decode()
