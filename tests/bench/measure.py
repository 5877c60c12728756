# SPDX-License-Identifier: GPL-3.0-or-later
"""Timing of commands against each other, and the table of what came out.

What is compared runs in rounds: each runner once a round, in an order that is rotated by one from round to
round, so that none always runs on what another one left. Each round gives a ratio of its own; told are their
median, their least and their largest. Before every timed run the disks are synced, and a runner removes its
last output, so that nobody writes back another one's bytes.
"""

import ctypes
import fcntl
import hashlib
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import termios
import time

KIB, MIB, GIB, TIB = (1 << shift for shift in (10, 20, 30, 40))
PR_SET_CHILD_SUBREAPER = 36


def seconds_of(command, stderr=None):
    """Wall time of one run; what it prints goes nowhere."""
    begin = time.perf_counter()
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr, check=True)
    return time.perf_counter() - begin


def peak_bytes_of(command):
    """Peak resident memory (ru_maxrss of wait4).

    The kernel counts what a process was before its exec, too, and we are larger than what we measure. So a
    small shell starts the program and leaves; as its new parent we reap it.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with subprocess.Popen(["/bin/sh", "-c", '"$@" >/dev/null &', "sh", *command], stdin=subprocess.DEVNULL):
        pass
    _, status, usage = os.wait4(-1, 0)
    if status != 0:
        raise RuntimeError(f"{command}: status {status}")
    return usage.ru_maxrss * KIB


def open_terminal(command):
    """Starts command in a new 80x24 terminal; returns (pid, terminal)."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    return pid, terminal


def seconds_to_first_frame(command, complete):
    """From start until the first frame is on a real terminal: the words of `complete` have come, and then
    nothing more for 50 ms (those do not count)."""
    begin = last = time.perf_counter()
    pid, terminal = open_terminal(command)
    seen = b""
    try:
        while True:
            quiet = 0.05 if all(word in seen for word in complete) else 60
            if not select.select([terminal], [], [], quiet)[0]:
                break
            chunk = os.read(terminal, 65536)
            last = time.perf_counter()
            seen += chunk
    except OSError:
        pass
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
    if not all(word in seen for word in complete):
        raise RuntimeError(f"no complete frame of {command}: {seen[-300:]!r}")
    return last - begin


def sum_of(path):
    """A sum of all bytes of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require(right, words):
    """What was measured must have been the right answer, or its time is worth nothing."""
    if not right:
        raise RuntimeError(f"a wrong answer: {words}")


def times_of(rounds, runs):
    """The seconds that each of the callables answers, a list each."""
    times = [[] for _ in runs]
    for begin in range(rounds):
        for step in range(len(runs)):
            which = (begin + step) % len(runs)
            os.sync()
            times[which].append(runs[which]())
    return times


class Table:
    """What came out, row by row, as it comes."""

    def __init__(self):
        self.met = self.missed = self.skipped = 0

    @staticmethod
    def head(rounds):
        """What the columns mean."""
        load = os.getloadavg()[0]
        print(f"{rounds} rounds in rotated order; times: medians; ratio: median of the rounds' ours / peer, and its"
              f" least..largest; MISS: beyond the goal")
        print(f"load before: {load:.1f} on {os.cpu_count()} processors"
              + (" (LOADED: the times tell little, the ratios less than on an idle machine)" if load > 0.7 else ""))
        print(f"{'case':<82} {'ours':>10} {'peer':>10} {'ratio':>7} {'spread':>14} {'goal':>5}", flush=True)

    def row(self, case, ours, peer, ratios, goal):
        """One line; ratios are those of the rounds."""
        ratio = statistics.median(ratios)
        spread = f"{min(ratios):.3f}..{max(ratios):.3f}" if len(ratios) > 1 else ""
        verdict = ""
        if goal is not None:
            verdict = "ok" if ratio <= goal else "MISS"
            self.met += ratio <= goal
            self.missed += ratio > goal
        goal = "" if goal is None else f"{goal:g}"
        print(f"{case:<82} {ours:>10} {peer:>10} {ratio:>7.3f} {spread:>14} {goal:>5} {verdict}".rstrip(), flush=True)

    def skip(self, case, reason):
        """One that cannot be measured here."""
        self.skipped += 1
        print(f"skipped: {case}: {reason}", flush=True)

    def compare(self, rounds, case, ours, *peers):
        """Each peer is (what it is, goal, run); ours runs once a round for all of them."""
        mine, *others = times_of(rounds, [ours, *(run for _, _, run in peers)])
        for (name, goal, _), theirs in zip(peers, others):
            self.row(f"{case}, to {name}", f"{statistics.median(mine) * 1000:.1f} ms",
                     f"{statistics.median(theirs) * 1000:.1f} ms", [a / b for a, b in zip(mine, theirs)], goal)

    def memory(self, rounds, case, goal_bytes, command):
        """Peak memory; the "ratio" is in MiB."""
        peak = max(peak_bytes_of(command) for _ in range(min(rounds, 3)))
        self.row(case, f"{peak / MIB:.1f} MiB", "", [peak / MIB], goal_bytes / MIB)

    def tail(self):
        """The total; whether every goal was met."""
        print(f"load after: {os.getloadavg()[0]:.1f}")
        print(f"bench: {self.met} goals met, {self.missed} missed, {self.skipped} skipped", flush=True)
        return self.missed == 0
