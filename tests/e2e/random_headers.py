#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Headers at random, thousands of them: no crash, no sanitizer's report, a documented exit code, in time,
and the file is not touched.

    random_headers.py BINARY SAMPLES COUNT SEED LIMIT_MS

A round takes a sample's header or noise behind a known magic, puts interesting numbers and noise into it, cuts
or lengthens the file, and runs one command. A failure leaves the bytes in failed.cow and says how to repeat.
"""
import concurrent.futures
import os
import random
import struct
import subprocess
import sys
import time

CODES = {0, 2, 3, 5, 63}
MAGICS = [b"OOOM\0\0\0\1", b"OOOM\0\0\0\2", b"OOOM\0\0\0\3", b"MOOO\1\0\0\0", b"OOOM\0\0\0\0\0\0\0\2\0\0\0\0"]
NUMBERS = [0, 1, 3, 7, 8, 255, 256, 511, 512, 513, 4096, 65535, 65536, 2**20, 2**31 - 1, 2**31, 2**32 - 1]
LONG = NUMBERS + [2**32, 2**40, 2**43 - 512, 2**43, 2**62, 2**63 - 1, 2**63, 2**64 - 1]
# Where the fields of the variants lie.
FIELDS4 = [4, 8, 20, 24, 28, 32, 264, 276, 280, 1032, 1044, 1048, 4104, 4116, 4120, 4128]
FIELDS8 = [12, 16, 268, 272, 1036, 1040, 4108, 4112, 4120]
COMMANDS = [
    ["info"],
    ["info", "-v"],
    ["info", "--json"],
    ["map"],
    ["map", "--json"],
    ["merge", "-n", "-o", "none.raw"],
    ["resize", "-n", "--policy", "copy", "@", "+1M"],
    ["resize", "-n", "--policy", "keep", "@", "64M"],
]


def header(rng, samples):
    if rng.random() < 0.7:
        data = bytearray(rng.choice(samples))
    else:
        data = bytearray(rng.choice(MAGICS) + rng.randbytes(rng.choice([0, 20, 300, 4200, 9000])))
    for _ in range(rng.randrange(4)):
        kind = rng.randrange(5)
        if kind == 0:
            at, value = rng.choice(FIELDS4), struct.pack(rng.choice("<>") + "I", rng.choice(NUMBERS))
        elif kind == 1:
            at, value = rng.choice(FIELDS8), struct.pack(rng.choice("<>") + "Q", rng.choice(LONG))
        elif kind == 2:
            at = rng.randrange(len(data) + 1)
            value = rng.randbytes(rng.randrange(1, 64))
        elif kind == 3:
            at, value = 0, rng.choice(MAGICS)
        else:
            at = rng.randrange(8, 4200)
            value = bytes([rng.choice([0, 0x1B, 0x9B, 0x2F, 0xFF])]) * rng.randrange(1, 5000)
        if at + len(value) > len(data):
            data.extend(bytes(at + len(value) - len(data)))
        data[at : at + len(value)] = value
    if rng.random() < 0.2:
        del data[rng.randrange(len(data) + 1) :]
    return bytes(data)


def one_round(binary, samples, seed, limit):
    rng = random.Random(seed)
    name = f"r{seed}.cow"
    data = header(rng, samples)
    with open(name, "wb") as f:
        f.write(data)
        if rng.random() < 0.2:
            f.truncate(rng.choice([len(data) + 1, 2**20, 2**32, 2**40]) + rng.randrange(2))
    before = os.stat(name)
    command = list(rng.choice(COMMANDS))
    command = [name if word == "@" else word for word in command]
    if name not in command:
        command.append(name)
    if rng.random() < 0.5:
        command += ["-b", "b1m.raw"]
    for _ in range(3):  # a busy machine gets a second and a third chance
        begin = time.monotonic()
        try:
            done = subprocess.run(
                [binary] + command, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit * 5
            )
        except subprocess.TimeoutExpired:
            return f"seed {seed}: {command}: did not end"
        took = time.monotonic() - begin
        if took <= limit:
            break
    error = done.stderr.decode("latin-1")
    why = None
    if done.returncode not in CODES:
        why = f"exit {done.returncode}: {error[-300:]}"
    elif "Sanitizer" in error or "runtime error" in error:
        why = error[-300:]
    elif done.returncode and not error.startswith("cowtui: "):
        why = f"exit {done.returncode} without a message"
    elif any(byte < 32 and byte != 10 or byte == 127 for byte in done.stdout + done.stderr):
        why = "a control byte is printed"
    elif took > limit:
        why = f"took {took:.1f} s"
    after = os.stat(name)
    with open(name, "rb") as f:
        if f.read(len(data)) != data or (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            why = "the file was changed"
    if why:
        os.replace(name, "failed.cow")
        return f"seed {seed}: {command}: {why}".replace("\n", " ")
    os.unlink(name)
    return None


def main():
    binary, directory, count, seed, limit = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
    samples = []
    for name in sorted(os.listdir(directory)):
        if name.endswith(".cow"):
            with open(os.path.join(directory, name), "rb") as f:
                samples.append(f.read(16384))
    with open(os.path.join(directory, "b1m.raw"), "rb") as f, open("b1m.raw", "wb") as g:
        g.write(f.read())
    # As many at once as there are processors, so that the limit of time stays fair.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        seeds = range(seed * 1000000, seed * 1000000 + count)
        for problem in pool.map(lambda s: one_round(binary, samples, s, limit / 1000), seeds):
            if problem:
                print(problem)
                os._exit(1)
    left = [name for name in os.listdir(".") if name not in ("b1m.raw", "result")]
    if left:
        sys.exit(f"left behind: {left}")
    print(f"{count} headers")


if __name__ == "__main__":
    main()
