# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of network block devices that does what it is told, also what no client should do."""

import socket
import struct

READ, WRITE, DISCONNECT, FLUSH, TRIM, CACHE, ZEROES, BLOCK_STATUS = range(8)
FUA, NO_HOLE, FAST_ZERO = 1, 2, 16
IHAVEOPT = 0x49484156454F5054
REQUEST, SIMPLE_REPLY = 0x25609513, 0x67446698
OPT_GO, REP_ACK, REP_INFO = 7, 1, 3
FLAG_READ_ONLY, FLAG_FLUSH, FLAG_FUA, FLAG_TRIM, FLAG_ZEROES = 2, 4, 8, 32, 64
FLAG_MULTI_CONN, FLAG_FAST_ZERO = 256, 2048


class Gone(Exception):
    """The server has closed the connection."""


class Client:
    """A connection. Requests answer with 0 or an errno; those with data raise OSError."""

    def __init__(self, path, seconds=60):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(seconds)
        self.socket.connect(path)
        self.handle = 0
        self.size_bytes = self.flags = None
        self._shake_hands()

    def get(self, n):
        parts = []
        while n:
            part = self.socket.recv(min(n, 1 << 20))
            if not part:
                raise Gone
            parts.append(part)
            n -= len(part)
        return b"".join(parts)

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Gone from error

    def _shake_hands(self):
        magic, opt, _ = struct.unpack(">8sQH", self.get(18))
        assert magic == b"NBDMAGIC" and opt == IHAVEOPT, magic
        self.send(struct.pack(">I", 3))  # fixed newstyle, no zeroes
        self.send(struct.pack(">QIIIH", IHAVEOPT, OPT_GO, 6, 0, 0))
        while True:
            _, _, kind, n = struct.unpack(">QIII", self.get(20))
            data = self.get(n)
            if kind == REP_ACK:
                return
            if kind != REP_INFO:
                raise Gone
            if struct.unpack(">H", data[:2])[0] == 0:
                self.size_bytes, self.flags = struct.unpack(">QH", data[2:])

    def request(self, kind, offset=0, n=0, data=b"", flags=0):
        """Sends it, and reads the head of the answer: an errno."""
        self.handle += 1
        self.send(struct.pack(">IHHQQI", REQUEST, flags, kind, self.handle, offset, n) + data)
        magic, error, handle = struct.unpack(">IIQ", self.get(16))
        assert magic == SIMPLE_REPLY and handle == self.handle, "an answer to something else"
        return error

    def read(self, offset, n):
        error = self.request(READ, offset, n)
        if error:
            raise OSError(error, "read")
        return self.get(n)

    def write(self, offset, data, flags=0):
        return self.request(WRITE, offset, len(data), data, flags)

    def zero(self, offset, n, flags=0):
        return self.request(ZEROES, offset, n, flags=flags)

    def trim(self, offset, n, flags=0):
        return self.request(TRIM, offset, n, flags=flags)

    def flush(self):
        return self.request(FLUSH)

    def close(self):
        """As a client should go."""
        try:
            self.send(struct.pack(">IHHQQI", REQUEST, 0, DISCONNECT, 0, 0, 0))
        except Gone:
            pass
        self.socket.close()
