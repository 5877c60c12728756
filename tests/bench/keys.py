# SPDX-License-Identifier: GPL-3.0-or-later
"""A person at a terminal: keys through a real pty, how long each waits for what it shows, and what that sends.

A key's time is that from its write until the first byte comes back. What comes for it is all that comes until the
line was silent for a moment. What a running job draws by itself in between is counted with it; so a key is only
sent after a silence, and a number told is a median or, where it says so, the worst.
"""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

QUIET_SECONDS = 0.02
PATIENCE_SECONDS = 30


class Keyboard:
    """A program in a terminal of its own."""

    def __init__(self, command, cols=200, rows=60, processors=2):
        self.began = time.perf_counter()
        self.processor_until_first = 0.0
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", LC_ALL="C.UTF-8")
            for name in ("COLUMNS", "LINES", "TMUX", "STY"):
                os.environ.pop(name, None)
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:processors])
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
            os.execvp(command[0], command)

    def read(self, seconds):
        """What comes next, in so many seconds at most; b"" if nothing does."""
        if not select.select([self.terminal], [], [], seconds)[0]:
            return b""
        try:
            return os.read(self.terminal, 65536)
        except OSError:  # its end has gone
            return b""

    def settle(self, seconds=QUIET_SECONDS, most=PATIENCE_SECONDS):
        """All that comes until the line is silent for so long."""
        seen, until = b"", time.perf_counter() + most
        while (chunk := self.read(seconds)) and time.perf_counter() < until:
            seen += chunk
        return seen

    def wait_for(self, *words):
        """Until all of the words have come; answers (the seconds since the start, all that came)."""
        seen = b""
        while not all(word in seen for word in words):
            chunk = self.read(PATIENCE_SECONDS)
            if not chunk:
                raise RuntimeError(f"{words} did not come: {seen[-300:]!r}")
            seen += chunk
        return time.perf_counter() - self.began, seen

    def processor_seconds(self):
        """That the program's first thread has had."""
        with open(f"/proc/{self.pid}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[0]) / 1e9

    def press(self, key, quiet=QUIET_SECONDS):
        """(the seconds until the first byte, all bytes that came until it was quiet) of a key; None and b"" where none
        did. processor_until_first tells what it had of a processor until then."""
        begin, processor = time.perf_counter(), self.processor_seconds()
        os.write(self.terminal, key.encode())
        first = self.read(PATIENCE_SECONDS)
        seconds = time.perf_counter() - begin
        self.processor_until_first = self.processor_seconds() - processor
        return (seconds, first + self.settle(quiet, most=0.3)) if first else (None, b"")

    def quit(self, keys="q"):
        """Seconds from the key until the program has ended."""
        begin = time.perf_counter()
        os.write(self.terminal, keys.encode())
        while self.read(PATIENCE_SECONDS):
            pass
        _, status = os.waitpid(self.pid, 0)
        self.pid = None
        if status != 0:
            raise RuntimeError(f"the screen ended with status {status}")
        return time.perf_counter() - begin

    def close(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.terminal)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
