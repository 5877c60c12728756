# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that do what they must not, and a disk that is full: they get an error, and the server lives."""

import errno
import os
import socket
import struct
import subprocess

import nbd
from scene import PAGE, Server, Skip, composed, have, make

SIZE = 1024 * 1024
ALL = 2**64 - 1


def lies(binary, directory, writing):
    """Each lie by a client of its own; an honest one looks on."""
    image, backing = make(directory, SIZE, 1)
    was = composed(image, backing)
    server = Server(binary, image, *(["--write", "-y"] if writing else []))
    try:
        honest = server.client()
        told = 0
        for offset, n in ((SIZE, 1), (SIZE - 1, 2), (ALL, 1), (ALL - 10, 100), (2**63, 512), (0, 2**31), (SIZE * 2, 0)):
            for kind in (nbd.READ, nbd.TRIM, nbd.ZEROES, nbd.CACHE, nbd.BLOCK_STATUS):
                if kind == nbd.READ and n == 0:
                    continue
                client = server.client()
                try:
                    have(client.request(kind, offset, n) != 0, f"request {kind} at {offset}+{n} is answered with 0")
                except nbd.Gone:
                    pass  # to close the door is an answer, too
                client.socket.close()
                told += 1
        for send in (
            b"\0" * 28,  # no magic
            os.urandom(1000),
            struct.pack(">IHHQQI", nbd.REQUEST, 0, 999, 1, 0, 0),  # no such command
            struct.pack(">IHHQQI", nbd.REQUEST, 0xFFFF, nbd.READ, 1, 0, 512),  # no such flags
            struct.pack(">IHHQQI", nbd.REQUEST, 0, nbd.WRITE, 1, SIZE - 512, 1024) + bytes(1024),
            struct.pack(">IHHQQI", nbd.REQUEST, 0, nbd.WRITE, 1, ALL, 0xFFFFFFFF) + bytes(4096),
            struct.pack(">IHHQQI", nbd.REQUEST, 0, nbd.WRITE, 1, 0, 8192) + b"half of it" * 100,
            struct.pack(">IHHQQI", nbd.REQUEST, 0, nbd.READ, 1, 0, 512)[:17],  # half a request
        ):
            client = server.client()
            client.send(send)
            client.socket.close()
            told += 1
        for greeting in (b"", b"\xff" * 4, struct.pack(">IQII", 3, nbd.IHAVEOPT, nbd.OPT_GO, 0xFFFFFFFF), b"GET / HTTP/1.1\r\n\r\n"):
            bare = socket.socket(socket.AF_UNIX)
            bare.connect(server.path)
            bare.sendall(greeting)
            bare.close()
            told += 1
        if not writing:
            have(honest.write(0, b"x") == errno.EPERM, "a write to what is only read")
        have(honest.read(0, SIZE) == was, "the disk is another one")
        idle = server.client()  # who only stands there does not stop the end
        server.end()
        idle.socket.close()
    finally:
        server.kill()
    have(composed(image, backing) == was, "the files are other ones")
    return f"{told} lies"


def full(binary, directory):
    """A small filesystem in memory that fills up while a client writes."""
    place = os.path.join(directory, "small")
    os.mkdir(place)
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", place], check=False,
                                           stderr=subprocess.DEVNULL).returncode:
        raise Skip("a small filesystem cannot be mounted here (not root)")
    try:
        return fill(binary, place)
    finally:
        subprocess.run(["umount", place], check=True)


def fill(binary, place):
    size = 8 * SIZE
    backing, image = os.path.join(place, "b.img"), os.path.join(place, "x.cow")
    with open(backing, "wb") as file:
        file.truncate(size)
    subprocess.run([binary, "create", "-q", image, backing], check=True)
    with open(os.path.join(place, "ballast"), "wb") as file:
        file.write(bytes(SIZE))
    disk, flushed = bytearray(size), 0
    server = Server(binary, image, "--write", "-y")
    try:
        client = server.client()
        for at in range(0, size, PAGE):
            data = os.urandom(PAGE)
            error = client.write(at, data)
            if error:
                break
            disk[at : at + PAGE] = data
            if at % (16 * PAGE) == 0:
                have(client.flush() == 0, "a flush while there was space")
                flushed = at + PAGE
        have(error == errno.ENOSPC, f"the client gets errno {error}, and not ENOSPC")
        have(flushed > SIZE, "it was full too soon")
        have(client.read(0, flushed) == disk[:flushed], "what was flushed is not read any more")
        have(composed(image, backing)[:flushed] == disk[:flushed], "what was flushed is not there")
        os.unlink(os.path.join(place, "ballast"))
        have(client.write(at, data) == 0, "there is space again, and it is not written")
        disk[at : at + PAGE] = data
        have(client.flush() == 0, "there is space again, and it is not flushed")
        client.close()
        server.end()
    finally:
        server.kill()
    have(composed(image, backing) == disk, "another disk at the end")
    return f"full after {at} bytes"
