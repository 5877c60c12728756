#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs suites, as many parts at a time as there are processors, and adds up what they say.

run.py BUILD_DIRECTORY LEVEL [ONLY]      LEVEL: check, test, more or soak (tests/README.md says what each holds)

A suite is a command. With --parts it prints its parts, a line each, "NAME" or "NAME SECONDS" where a part takes long;
with a part's name it runs that part and prints a line a case as it ends: "ok NAME", "FAIL NAME: why", "skip NAME:
why" (or a tab for the colon, where names have colons), any other line being a remark. Where cases are too many for a line each, the last line counts them: "SUITE: N
passed, N failed, N skipped". Exit 77, the reason in the last line: nothing of it can run here. What cannot be counted
(a crash, no case, a bad exit code in spite of a good count) is a failure. What the suites find in their environment:
LEVEL, WITHOUT (patterns of suites, with commas between: these are left out), ONLY_CASE (a pattern that a case's name has to match), TIME_SCALE (all limits of time are multiplied by it).

ONLY is SUITE, SUITE:PART or SUITE:PART:CASE, each a shell pattern; an empty one matches all. A failed case prints the
command that repeats it. The last line printed is the total."""
import collections
import fnmatch
import os
import re
import selectors
import shlex
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
MEMORY = "/dev/shm"
MEMORY_BYTES = 2 << 30  # that much has to be free there
PART_SECONDS = 1200  # a part that takes longer hangs
QUIET_SECONDS = 30  # after that long without a line it is told what is running
SLOWEST = 10
LEAKS = 1  # the sanitizers look for them
SHOWN = 60  # lines of remarks about a part that failed
RESULT = re.compile(r"(ok|FAIL|skip) +(.*)")
TAP = re.compile(r"(ok|not ok) \d+ - [^:]*:[^:]*:([^:]*): (.*)")
COUNT = re.compile(r"[a-z0-9_-]+: (?:.*[;,] )?(\d+) passed, (\d+) failed, (\d+) skipped$")

# Where a suite's files are: what has run on a disk already, without sanitizers, need not wait for the disk again.
DISK, IN_MEMORY = "disk", "memory"
Suite = collections.namedtuple("Suite", "command place levels late", defaults=((),))  # late: parts that test leaves to more


def suites(build):
    """Every suite there is, by name. In the order of their names' fame, not of their length."""
    plain, asan = os.path.realpath(build), os.path.realpath(os.path.join(build, "asan"))

    def script(name, root, *arguments):
        """By default with the program that holds each commit against its preview (tests/promise)."""
        return [os.path.join(HERE, name), *(arguments or [os.path.join(root, "tests", "cowtui")])]

    return {
        "install": Suite(script("install/run.sh", plain, plain), DISK, ("test", "more"), ("reproducible",)),
        "unit": Suite([f"{plain}/tests/unit"], DISK, ("check", "test")),
        "e2e": Suite(script("e2e/run.sh", plain), DISK, ("check", "test", "more")),
        "tui": Suite(script("tui/run.sh", plain), IN_MEMORY, ("check", "test")),
        "tmux": Suite(script("tui/tmux.sh", plain, os.path.join(plain, "cowtui")), DISK, ("check", "test")),
        "crash": Suite(script("crash/run.sh", plain, plain), DISK, ("check", "test", "more", "soak")),
        "matrix": Suite(script("matrix/run.sh", plain), DISK, ("test", "soak")),
        "differential": Suite(script("differential/run.sh", plain), IN_MEMORY, ("test", "soak")),
        "files": Suite(script("files/run.sh", plain), DISK, ("test", "soak")),
        "guest": Suite(script("guest/run.sh", plain), DISK, ("test",)),
        "worlds": Suite(script("worlds/run.sh", plain), DISK, ("more", "soak")),
        "moves": Suite(script("moves/run.sh", plain), IN_MEMORY, ("test", "more", "soak")),
        "serve": Suite(script("serve/run.sh", plain), IN_MEMORY, ("test", "more", "soak")),
        "mutants": Suite([os.path.join(HERE, "crash", "mutants.py")], IN_MEMORY, ("more",)),
        "fuzz": Suite(script("fuzz/run.sh", asan, asan), IN_MEMORY, ("test", "more", "soak")),
        "asan-unit": Suite([f"{asan}/tests/unit"], IN_MEMORY, ("test", "more"), ("fault", "find", "rewrite")),
        "asan-e2e": Suite(script("e2e/run.sh", asan), IN_MEMORY, ("test", "more")),
        "asan-tui": Suite(script("tui/run.sh", asan), IN_MEMORY, ("test", "more"), ("3 of 4", "4 of 4")),
        "asan-crash": Suite(script("crash/run.sh", asan, asan), IN_MEMORY, ("more",)),
        "asan-matrix": Suite(script("matrix/run.sh", asan), IN_MEMORY, ("more",)),
        "asan-differential": Suite(script("differential/run.sh", asan), IN_MEMORY, ("more",)),
        "asan-serve": Suite(script("serve/run.sh", asan), IN_MEMORY, ("more",)),
        "asan-files": Suite(script("files/run.sh", asan), IN_MEMORY, ("more",)),
    }


class Part:
    """A part of a suite: its process, what it said, and what came of it."""

    def __init__(self, suite, name, estimate):
        self.suite, self.name, self.estimate = suite, name, estimate
        self.passed = self.failed = self.skipped = 0
        self.counted = None
        self.cases, self.remarks = [], collections.deque(maxlen=400)
        self.why, self.rest = "", b""
        self.process = self.began = self.last = None
        self.seconds = self.processor = 0.0
        self.log, self.overdue = None, False

    @property
    def title(self):
        return f"{self.suite}:{self.name}" if self.name else self.suite

    def start(self, suite, environment, log):
        self.began = self.last = time.monotonic()
        self.log = open(log, "wb")
        self.process = subprocess.Popen([*suite.command, *([self.name] if self.name else [])], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, cwd=os.path.dirname(HERE),
                                        start_new_session=True)
        os.set_blocking(self.process.stdout.fileno(), False)

    def read(self):
        """Whether there may be more to come."""
        chunk = self.process.stdout.read(1 << 16)
        if chunk is None:
            return True
        self.log.write(chunk)
        *lines, self.rest = (self.rest + chunk).split(b"\n")
        if not chunk and self.rest:
            lines, self.rest = [self.rest], b""
        for line in lines:
            self.take(line.decode("utf-8", "replace"))
        return bool(chunk)

    def take(self, line):
        now = time.monotonic()
        tap, result, count = TAP.match(line), RESULT.match(line), COUNT.match(line)
        if tap:
            self.case("ok" if tap[1] == "ok" else "FAIL", tap[2], tap[3], now)
        elif count:
            self.counted = [int(n) for n in count.groups()]
        elif result:
            end = "\t" if "\t" in result[2] else ": "
            name, _, why = result[2].partition(end) if result[1] != "ok" else (result[2], "", "")
            self.case(result[1], name, why, now)
        elif line.strip() and not line.startswith("1.."):
            self.remarks.append(line)

    def case(self, outcome, name, why, now):
        self.cases.append((now - self.last, f"{self.title}:{name}"))
        self.last = now
        if outcome == "ok":
            self.passed += 1
        elif outcome == "skip":
            self.skipped += 1
            say(f"  skip  {self.title}:{name}: {why}")
        else:
            self.failed += 1
            say(f"  FAIL  {self.title}:{name}: {why}\n        again: {again(f'{self.title}:{name}')}")

    def end(self):
        """Waits for the process, which has closed its output, and judges."""
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = code = os.waitstatus_to_exitcode(status)
        self.process.stdout.close()
        self.log.close()
        self.seconds = time.monotonic() - self.began
        self.processor = usage.ru_utime + usage.ru_stime
        reported = self.failed
        if self.counted:
            self.passed, self.failed, self.skipped = self.counted
        if code == 77 and not self.failed:
            self.skipped, self.why = max(1, self.skipped), self.remarks[-1] if self.remarks else "no reason given"
            return
        nothing = not self.passed + self.failed + self.skipped
        if self.overdue or (code and not self.failed) or (nothing and not os.environ.get("ONLY_CASE")):
            self.failed += 1
        if self.failed > reported or code < 0 or self.overdue:
            why = "it took too long" if self.overdue else f"it ended by signal {-code}" if code < 0 else f"exit {code}"
            if nothing or not self.counted:
                say(f"  FAIL  {self.title}: {why}\n        again: {again(self.title)}")
            for line in list(self.remarks)[-SHOWN:]:
                say(f"        {line}")
        elif self.failed:
            for line in list(self.remarks)[:SHOWN]:
                say(f"        {line}")

    def kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def summary(self):
        if self.why:
            return f"  skip  {self.title}: {self.why}"
        word = "FAIL" if self.failed else "ok"
        rest = "".join(f", {n} {what}" for n, what in ((self.failed, "failed"), (self.skipped, "skipped")) if n)
        return f"  {word:4}  {self.title:34} {self.passed} passed{rest} ({self.seconds:.1f} s, {self.processor:.1f} s of a processor)"


def say(text):
    print(text, flush=True)


def again(name):
    return f"make test ONLY={shlex.quote(name)}"


def scale():
    try:
        return max(float(os.environ.get("TIME_SCALE") or 1), 0.01)
    except ValueError:
        sys.exit(f"run.py: TIME_SCALE={os.environ['TIME_SCALE']} is no number")


def leaks(asan_program):
    """1 where a sanitized program can look for leaks. It does that by ptrace; where that is forbidden it would die of it."""
    said = subprocess.run([asan_program, "--version"], stdin=subprocess.DEVNULL, capture_output=True, check=False,
                          env=dict(os.environ, ASAN_OPTIONS="detect_leaks=1"))
    if b"LeakSanitizer has encountered a fatal error" in said.stdout + said.stderr:
        say("  skip  leaks: LeakSanitizer may not trace here (ptrace is forbidden)")
        return 0
    return 1


def environment(suite, name, level):
    out = dict(os.environ, LC_ALL="C.UTF-8", LEVEL=level, CK_TIMEOUT_MULTIPLIER=str(scale()), TIME_SCALE=str(scale()),
               ASAN_OPTIONS=f"exitcode=99:detect_leaks={LEAKS}:allocator_may_return_null=1",
               UBSAN_OPTIONS="exitcode=99:halt_on_error=1:print_stacktrace=1")
    for leave in "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "ONLY":
        out.pop(leave, None)
    # Random choices are others where the same suite runs a second time.
    out.setdefault("SEED", "2" if name.startswith("asan-") else "1")
    if suite.place == IN_MEMORY and os.access(MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(MEMORY).free > MEMORY_BYTES:
        out["TMPDIR"] = MEMORY
    return out


def parts_of(name, suite, env, chosen):
    """The suite's parts at this level (all, where they are chosen by name), or one without a name that says why there are none."""
    asked = subprocess.run([*suite.command, "--parts"], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env, check=False)
    if asked.returncode:
        return [Part(name, "", 0)]  # run as a whole it tells what is wrong
    out = []
    for line in asked.stdout.splitlines():
        part, _, estimate = line.rpartition(" ") if line.split()[-1].isdigit() and " " in line else (line, "", "1")
        if not suite.late or env["LEVEL"] not in ("test", "more") or (part in suite.late) == (env["LEVEL"] == "more") or chosen:
            out.append(Part(name, part, int(estimate)))
    return out


def matches(name, pattern):
    return not pattern or name == pattern or fnmatch.fnmatchcase(name, pattern)


def choose(build, level, only):
    """(suites, the parts to run: long ones first)"""
    known = suites(build)
    suite, part, case = ((only or "").split(":", 2) + ["", ""])[:3]
    if case:
        os.environ["ONLY_CASE"] = case
    # What runs under sanitizers is asked for by its whole name, or its beginning.
    names = [n for n, s in known.items() if (level in s.levels if not only else
                                             matches(n, suite) and n.startswith("asan-") == suite.startswith("asan-"))]
    left_out = [pattern for pattern in os.environ.get("WITHOUT", "").split(",") if pattern]
    names = [n for n in names if not any(fnmatch.fnmatchcase(n, pattern) for pattern in left_out)]
    if not names:
        sys.exit(f"run.py: no suite is called \"{suite}\": there are {', '.join(known)}")
    all_parts = [p for n in names for p in parts_of(n, known[n], environment(known[n], n, level), bool(only))]
    parts = [p for p in all_parts if matches(p.name, part)]
    if not parts:
        sys.exit(f"run.py: {', '.join(names)} has no part \"{part}\": there are {', '.join(p.name for p in all_parts)}")
    return known, sorted(parts, key=lambda p: -p.estimate)


class Run:
    """All that is to be run, and what is running."""

    def __init__(self, build, level, only):
        self.level = level
        self.suites, self.waiting = choose(build, level, only)
        self.only, self.logs = only, os.path.join(build, "logs")
        os.makedirs(self.logs, exist_ok=True)
        self.running, self.done = [], []
        self.selector = selectors.DefaultSelector()
        self.began = self.spoke = time.monotonic()
        self.total = len(self.waiting)

    def start_some(self, lanes):
        while self.waiting and len(self.running) < lanes:
            part = self.waiting.pop(0)
            suite = self.suites[part.suite]
            log = os.path.join(self.logs, re.sub(r"[^A-Za-z0-9.-]", "_", part.title) + ".log")
            part.start(suite, environment(suite, part.suite, self.level), log)
            self.selector.register(part.process.stdout, selectors.EVENT_READ, part)
            self.running.append(part)

    def turn(self):
        for key, _ in self.selector.select(1):
            part = key.data
            if not part.read():
                self.selector.unregister(key.fileobj)
                part.end()
                self.running.remove(part)
                self.done.append(part)
                # With a pattern for cases, parts that have none of them are not worth a line.
                if part.passed + part.failed + part.skipped:
                    say(part.summary())
                    self.spoke = time.monotonic()
        now = time.monotonic()
        for part in self.running:
            if self.level != "soak" and now - part.began > PART_SECONDS * scale() and not part.overdue:
                part.overdue = True
                part.kill()
        if now - self.spoke > QUIET_SECONDS:
            self.spoke = now
            running = ", ".join(f"{p.title} ({now - p.began:.0f} s)" for p in self.running)
            say(f"  ...   {now - self.began:.0f} s, {len(self.done)} of {self.total} parts; running: {running}")

    def all(self, lanes):
        try:
            while self.waiting or self.running:
                self.start_some(lanes)
                self.turn()
        finally:
            for part in self.running:
                part.kill()

    def tell(self):
        """The closing lines; the exit code."""
        sums = {}
        for part in self.done:
            row = sums.setdefault(part.suite, [0, 0, 0, 0.0, 0.0])
            for i, value in enumerate((part.passed, part.failed, part.skipped, part.seconds, part.processor)):
                row[i] += value
        say("")
        say(f"{'suite':14}{'passed':>8}{'failed':>8}{'skipped':>8}{'seconds':>9}{'processor':>11}")
        for name in self.suites:
            if name in sums:
                p, f, s, seconds, processor = sums[name]
                say(f"{name:14}{p:8}{f:8}{s:8}{seconds:9.1f}{processor:11.1f}")
        cases = sorted((c for part in self.done for c in (part.cases or [(part.seconds, part.title)])), reverse=True)
        say("\nslowest:")
        for seconds, name in cases[:SLOWEST]:
            say(f"{seconds:8.1f} s  {name}")
        passed, failed, skipped = (sum(row[i] for row in sums.values()) for i in range(3))
        say(f"\n{time.monotonic() - self.began:.0f} s, {sum(row[4] for row in sums.values()):.0f} s of a processor")
        if self.only and not passed + failed + skipped:
            say(f"run.py: no case matches ONLY={self.only}")
            return 2
        say(f"{passed} passed, {failed} failed, {skipped} skipped")
        return 1 if failed else 0


def main():
    global LEAKS
    if len(sys.argv) not in (3, 4) or sys.argv[2] not in ("check", "test", "more", "soak"):
        sys.exit(__doc__)
    build, level = sys.argv[1:3]
    # Begun in the background by a script this is ignored, and so it would be by all that is tested here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, lambda n, frame: sys.exit(128 + n))
    asan = os.path.join(build, "asan", "cowtui")
    if os.path.exists(asan):
        LEAKS = leaks(asan)
    run = Run(build, level, sys.argv[3] if len(sys.argv) > 3 else os.environ.get("ONLY"))
    try:
        # Where it has to be quick, one more, for some wait.
        run.all(int(os.environ.get("JOBS") or (os.cpu_count() or 1) + (run.level == "check")))
    except KeyboardInterrupt:
        return 130
    return run.tell()


if __name__ == "__main__":
    sys.exit(main())
