# SPDX-License-Identifier: GPL-3.0-or-later
"""The way that a combination goes: which changes it sees, and which requests that must be refused."""
import os
import re

from chain import UNDO, Chain, expect
from combos import GIB, MIB
from formats import SIZE_LIMIT, SMALLEST_SIZE, TIB, fits_kernel, largest_size, round_up, surely_too_large

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class Walk(Chain):
    """A chain of one to three changes, with refusals and merges between them."""

    def targets(self, policy):
        """Sizes worth growing to."""
        d, rng = self.disk, self.rng
        up, room = round_up(d.size + 1, 512), d.layout.capacity
        out = [up] * (10 if d.size % 512 else 2)  # what is behind an odd end must not show up
        out += [round_up(d.size, 512) + 512]
        out += [round_up(d.size + 1, 4096), round_up(d.size + 1, 4096) + 512]
        out += [room, room + 512, room - 512, round_up(2 * d.size, 512)]
        out += [d.size // 512 * 512 + rng.randrange(MIB) * 512]
        out += [n * 512 for n in (65, 71, 72, 73, 32767, 32768, 32769)]
        out += [n * GIB + rest for n in (2, 4) for rest in (-512, 0, 512)]
        if policy != "keep":  # which sets a bit for each new sector
            out += [rng.randrange(1, 7 * TIB // 512) * 512, largest_size(), 5 * TIB + 600 * GIB]
        if policy == "extend" and self.backing_bytes() > d.size:
            out = [self.backing_bytes()]
        far = min(largest_size(), d.size + 4 * GIB if policy == "keep" else SIZE_LIMIT)
        return [size for size in out if max(d.size, SMALLEST_SIZE - 1) < size <= far]

    def can_extend(self):
        d = self.disk
        if d.backing is None or self.backing_bytes() <= d.size:
            return d.backing is not None
        return d.size % 512 == 0 and self.backing_bytes() >= SMALLEST_SIZE  # to the size of the backing file

    def possible(self):
        """(what, arguments) of the changes that must succeed."""
        d, out = self.disk, []
        policies = ["copy"] + (["keep"] if d.backing else []) + (["extend"] if self.can_extend() else [])
        for policy in policies:
            out += [(self.grow, policy)] * 3 if self.targets(policy) else []
            out += [(self.move, policy)] * 4 if self.targets(policy) and d.variant == "uml-cow-v3" and d.sector == 512 else []
        if self.least_size() < d.size:
            out += [(self.shrink, None)] * 2
        if self.fits_again():
            out += [(self.again, None)] * 2
        return out

    def fits_again(self):
        """extend to the size that it has: lengthens a short backing file, and makes a v3 of what is none."""
        d = self.disk
        if d.size % 512 or d.size < SMALLEST_SIZE or not d.backing or self.backing_bytes() > d.size:
            return False
        if d.variant == "uml-cow-v3":
            return d.sector == 512 and self.backing_bytes() < d.size
        return fits_kernel(d.size, 4096)

    def grow(self, policy):
        return self.change(self.rng.choice(self.targets(policy)), policy, "--policy", policy)

    def move(self, policy):
        """In place, by either method; refused where that cannot be."""
        target, method = self.rng.choice(self.targets(policy)), self.rng.choice(["moved", "moved", "inserted"])
        words = ["resize", "-q", "--policy", policy, "--method", method, "x.cow", str(target)]
        if not self.can_move(target, policy):
            shows = policy == "keep" and (self.disk.size % 512 or self.disk.overlong)  # what lies behind the end
            self.refused(3 if shows else 63, *words[:2], "--yes", *words[2:])
            return None
        if method == "inserted" and not self.must_insert(target):
            code, _ = self.run(*words, "--dry-run")
            expect(True, code in (0, 63), "can it be inserted, or is it said that it cannot")
            if code == 63:
                self.refused(63, *words[:2], "--yes", *words[2:])
                return None
        return self.change(target, policy, "--policy", policy, method=method)

    def long_chain(self):
        """Moved; then by the header alone; shrunk; that is undone, and nothing else can be."""
        target = round_up(max(self.disk.size, SMALLEST_SIZE) + 1, 512) + 4096
        if not self.can_move(target, "copy") or target > largest_size():
            return
        self.change(target, "copy", "--policy", "copy", method=self.rng.choice(["moved", "inserted"]) if self.must_insert(target) else "moved")
        if self.can_stay(target + 512):
            self.change(target + 512, "copy", "--policy", "copy")
        least = max(self.least_size(), SMALLEST_SIZE)
        if least < self.disk.size:
            done = self.change(max(least, round_up(self.disk.size, 512) - 4096), "copy", "--shrink")
            self.undo(*done)
        else:
            self.run("undo", "-q", "--yes", "--discard", "x.cow")
        self.refused(3, "undo", "-q", "--yes", "x.cow")
        self.merge()
        self.count("chains")

    def shrink(self, _):
        d, least = self.disk, self.least_size()
        last = (d.size - 1) // 512 * 512
        target = self.rng.choice([least, last, self.rng.randrange(least // 512, last // 512 + 1) * 512])
        target = min(target, largest_size())
        if target < least:
            return None
        return self.change(target, "copy", "--shrink", *self.rng.choice([(), ("--policy", "copy")]))

    def again(self, _):
        return self.change(self.disk.size, "extend", "--policy", "extend")

    def probes(self):
        """Requests that must be refused: (exit code, arguments)."""
        d, rng = self.disk, self.rng
        more = str(round_up(max(d.size, SMALLEST_SIZE) + 1, 512))
        less = round_up(d.size, 512) - 512
        policy = rng.choice(["copy", "extend", "keep"]) if d.backing else "copy"
        out = [(2, "--policy", policy, "x.cow", str(int(more) + rng.choice([1, 511, 256])))]
        if d.variant != "uml-cow-v3" or d.sector != 512:
            out += [(63, "--policy", "copy", "--method", rng.choice(["moved", "inserted"]), "x.cow", more)] * 2
        out += [(5, "--policy", "copy", "--shrink", "x.cow", rng.choice(["512", "32K", "32256"]))]
        if less > 0:
            out += [(3, "--policy", policy, "x.cow", str(less))]
            out += [(2, "--policy", rng.choice(["keep", "extend"]), "--shrink", "x.cow", str(less))]
        if not d.backing:
            out += [(63, "--policy", rng.choice(["extend", "keep"]), "x.cow", more)] * 3
        elif self.backing_bytes() > d.size and int(more) not in (self.backing_bytes(), d.size):
            out += [(3, "--policy", "extend", "x.cow", more)] * 4
        return out

    def probe(self):
        code, *arguments = self.rng.choice(self.probes())
        self.refused(code, "resize", "-q", "--yes", *arguments)

    def probe_large(self):
        """More than a kernel can address, for any policy that could be asked for it."""
        d = self.disk
        sizes = [SIZE_LIMIT, SIZE_LIMIT + 512, 9 * TIB, SIZE_LIMIT - 512, surely_too_large()]
        policies = ["copy"] + (["keep"] if d.backing else [])
        policies += ["extend"] if d.backing and self.backing_bytes() <= d.size else []
        for size in [self.rng.choice(sizes)] if d.size < 4 * TIB else sizes:
            if size > d.size:
                policy = self.rng.choice(policies)
                self.refused(5, "resize", "-q", "--yes", "--policy", policy, "x.cow", str(size))

    def probe_unasked(self):
        """Without --yes, and with nobody to ask."""
        target = round_up(max(self.disk.size, SMALLEST_SIZE) + 1, 512)
        if target <= largest_size():
            self.refused(3, "resize", "-q", "--policy", "copy", "x.cow", str(target))

    def probe_date(self):
        """Somebody has written to the backing file."""
        d = self.disk
        if not d.backing:
            return
        info = os.stat(d.backing)
        other = info.st_mtime_ns + self.rng.choice([-1, 1]) * 10**9
        os.utime(d.backing, ns=(info.st_atime_ns, other))
        if os.stat(d.backing).st_mtime_ns == other:
            more = str(round_up(max(d.size, SMALLEST_SIZE) + 1, 512))
            policy = self.rng.choice(["extend", "copy", "keep"])
            self.refused(3, "resize", "-q", "--yes", "--policy", policy, "x.cow", more)
        os.utime(d.backing, ns=(info.st_atime_ns, info.st_mtime_ns))

    def probe_loss(self):
        """A sector past the new end matters. The refusal names the smallest size that loses nothing."""
        least = round_up(self.matters_until(0), 512)
        if least <= SMALLEST_SIZE:
            return
        anywhere = self.rng.randrange(SMALLEST_SIZE // 512, least // 512) * 512
        target = self.rng.choice([least - 512, anywhere])
        if target <= largest_size() and least <= self.disk.size:
            error = self.refused(3, "resize", "-q", "--yes", "--shrink", "x.cow", str(target))
            named = re.search(r"smallest size that loses nothing is (\d+)([KMGT]?)", error)
            named = int(named[1]) * UNITS[named[2]] if named else error
            expect(least, named, "the smallest size that loses nothing")

    def probe_nothing(self):
        """Nothing to undo; the size that it has already."""
        d = self.disk
        if not os.path.exists(UNDO):
            self.refused(3, "undo", "-q", "--yes", "x.cow")
        elif d.variant == "uml-cow-v3" and d.size % 512 == 0 and self.backing_bytes() == d.size:
            if d.size >= SMALLEST_SIZE:
                self.refused(0, "resize", "-q", "--yes", "--policy", "extend", "x.cow", str(d.size))

    def go(self):
        """All of it, from the image as it was made."""
        rng = self.rng
        others = [self.probe] * 4 + [self.probe_unasked, self.probe_date, self.probe_nothing, self.merge]
        others += [self.probe_loss] * 3 + [self.probe_large]
        if self.disk.size > 4 * TIB:
            self.probe_large()
        if rng.random() < 0.2:
            self.long_chain()
        for _ in range(rng.choice([1, 2, 2, 3])):
            for _ in range(rng.choice([0, 1, 1, 2])):
                rng.choice(others)()
            ways = self.possible()
            if not ways:
                return
            way, argument = rng.choice(ways)
            done = way(argument)
            if done and rng.random() < 0.35:
                self.undo(*done)
        if rng.random() < 0.15:
            self.long_chain()
        if rng.random() < 0.3:
            self.merge()
