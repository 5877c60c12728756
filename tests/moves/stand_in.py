# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for e2fsck or resize2fs, by the name that it is called by: runs the real one, and at a moment of it kills
somebody. What is told by the environment:

KILL_AT      which of the two it is about
KILL_WHEN    before, after, or the number of the write in whose middle the program is stopped
KILL_WHO     cowtui, nbdkit, nbdfuse, or self; the signal is KILL_SIGNAL (a number)
KILL_DONE    a file that is made when that has been done
"""
import os
import re
import signal
import subprocess
import sys
import time

name = os.path.basename(sys.argv[0])
real = f"/usr/sbin/{name}"
if not os.path.exists(real):
    real = f"/sbin/{name}"


def stat_of(pid):
    """(name, state, parent) of a process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            found = re.fullmatch(r"\d+ \((.*)\) (\S) (\d+) .*", f.read(), re.S)
    except OSError:
        return "", "X", 0
    return found[1], found[2], int(found[3].split()[0])


def ancestor():
    """The cowtui that has started us."""
    pid = os.getpid()
    while pid > 1:
        pid = stat_of(pid)[2]
        if stat_of(pid)[0].startswith("cowtui"):
            return pid
    sys.exit("stand_in.py: no cowtui above")


def below(pid, wanted):
    """A descendant of that name."""
    for word in os.listdir("/proc"):
        if not word.isdigit() or stat_of(word)[0] != wanted:
            continue
        at = int(word)
        while at > 1 and at != pid:
            at = stat_of(at)[2]
        if at == pid:
            return int(word)
    sys.exit(f"stand_in.py: no {wanted} below {pid}")


def act(own):
    top = ancestor()
    who = os.environ["KILL_WHO"]
    pid = top if who == "cowtui" else own if who == "self" else below(top, who)
    with open(os.environ["KILL_DONE"], "w", encoding="ascii"):
        pass
    os.kill(pid, int(os.environ["KILL_SIGNAL"]))


def in_the_middle(number):
    """The real one is stopped as it writes, and goes on when it is done."""
    log = os.environ["KILL_DONE"] + ".calls"
    with open(log, "wb"):
        pass
    tracer = subprocess.Popen(["strace", "-o", log, "-e", "trace=pwrite64", "-e", f"inject=pwrite64:signal=STOP:when={number}",
                               real, *sys.argv[1:]])
    own = 0

    def end(*_):
        for pid in [own or below(os.getpid(), name), tracer.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        os._exit(143)

    signal.signal(signal.SIGTERM, end)
    while tracer.poll() is None:
        with open(log, encoding="utf-8", errors="replace") as f:
            if "stopped by SIGSTOP" in f.read():
                break
        time.sleep(0.01)
    else:
        return tracer.wait()
    own = below(tracer.pid, name)
    act(own)
    if os.environ["KILL_WHO"] != "self":
        os.kill(own, signal.SIGCONT)
    return tracer.wait()


def main():
    when = os.environ.get("KILL_WHEN", "")
    if name != os.environ.get("KILL_AT"):
        os.execv(real, [real, *sys.argv[1:]])
    if when.isdigit():
        code = in_the_middle(int(when))
        sys.exit(code if code >= 0 else 128 - code)
    if when == "before":
        act(os.getpid())
    code = subprocess.run([real, *sys.argv[1:]], check=False).returncode
    if when == "after":
        act(os.getpid())
    sys.exit(code if code >= 0 else 128 - code)


main()
