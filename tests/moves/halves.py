# SPDX-License-Identifier: GPL-3.0-or-later
"""Killing and stopping the program at one of its system calls, by strace."""
import collections
import os
import re
import shutil
import signal
import subprocess
import time

import mounts
from scene import SECONDS, Wrong

CALLS = "pwrite64,fsync,ftruncate,utimensat,unlink,copy_file_range,fallocate"
STRACE = ["strace", "-qq", "-f"]


def need_strace():
    mounts.need("strace")
    if subprocess.run([*STRACE, "-o", "/dev/null", "-e", "trace=none", "true"], capture_output=True, check=False).returncode:
        raise mounts.Skip("strace may not trace here")


def calls_of(scene, command, after=""):
    """What it calls, in order: [(call, n-th of its kind)]. It is done then. after: from the last one with these words on."""
    log = os.path.join(os.path.dirname(scene.place), "calls")
    scene.must(0, *STRACE, "-o", log, "-e", "trace=" + CALLS, *command)
    seen, out = collections.Counter(), []
    with open(log, encoding="utf-8", errors="replace") as f:
        for line in f:
            found = re.match(r"(?:\d+ +)?([a-z0-9_]+)\(", line)
            if found:
                seen[found[1]] += 1
                if after and after in line:
                    out = []
                out.append((found[1], seen[found[1]]))
    os.unlink(log)
    return out


def chunks_of(calls):
    """The calls that move the data, a list for each piece: it ends when its old place is given back. Before the first
    one the gap is cleaned."""
    begin = 1 + next(i for i, (call, _) in enumerate(calls) if call == "fallocate")
    out, piece = [], []
    for call in calls[begin:]:
        piece.append(call)
        if call[0] == "fallocate":
            out.append(piece)
            piece = []
    return out[:-1]  # after the last one the old bitmap is given back


def inject(what, call, n):
    return [*STRACE, "-o", "/dev/null", "-e", "trace=" + call, "-e", f"inject={call}:signal={what}:when={n}"]


def kill_at(scene, command, call, n):
    done = scene.run([*inject("KILL", call, n), *command])
    if done.returncode not in (-signal.SIGKILL, 137):
        raise Wrong(f"it was not killed at {call} number {n}, but answers {done.returncode}: {done.said}")


def stop_at(scene, command, call, n, meanwhile):
    """It stands still there, while something else happens. What it answers then, and says."""
    with subprocess.Popen([*inject("STOP", call, n), *command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True) as tracer:
        try:
            pid = wait_stopped(scene, tracer)
            meanwhile()
            os.kill(pid, signal.SIGCONT)
            _, said = tracer.communicate(timeout=SECONDS)
        finally:
            tracer.kill()
    return tracer.returncode, said


def wait_stopped(scene, tracer):
    """Until it stands still in the middle: strace stops it for a moment at each call, too."""
    began, before = time.monotonic(), None
    while time.monotonic() - began < SECONDS:
        now = [status for status in map(status_of, children(tracer.pid)) if re.search(r"^State:\s+[Tt]\b", status, re.M)]
        if now and now == before and scene.is_half():
            return int(re.search(r"^Pid:\s+(\d+)", now[0], re.M)[1])
        if tracer.poll() is not None:
            raise Wrong(f"it did not stop, but answers {tracer.returncode}: {tracer.stderr.read().strip()[-300:]}")
        before = now
        time.sleep(0.2)  # what runs has been switched to and fro then, and its status counts that
    raise Wrong("it does not stop")


def status_of(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(word) for word in f.read().split()]


def have_insertion(scene):
    """Whether the filesystem under it inserts."""
    done = scene.run([w for w in scene.grow("inserted") if w != "--yes"] + ["--dry-run"])
    if done.returncode == 63:
        raise mounts.Skip("the filesystem cannot insert room into a file")
    if done.returncode:
        raise Wrong(f"the plan of an insertion answers {done.returncode}: {done.said}")


def wipe(place):
    for name in os.listdir(place):
        path = os.path.join(place, name)
        if name != "lost+found":
            shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
