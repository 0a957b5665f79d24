"""frames - a client that sends exactly the frames it is told and reads
strictly."""

import socket
import struct
import zlib
from dataclasses import dataclass

from harness.wait import GUARD

CONTINUE, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = b"\x37\xfa\x21\x3d"


def mask(data: bytes, key: bytes = KEY) -> bytes:
    if not data:
        return b""
    long = (key * (len(data) // 4 + 1))[: len(data)]
    number = int.from_bytes(data, "big") ^ int.from_bytes(long, "big")
    return number.to_bytes(len(data), "big")


def frame(opcode, data=b"", fin=True, rsv=0, masked=True, form=0) -> bytes:
    """form: bytes for the length, 0: as few as they can be."""
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    size = len(data)
    form = form or (1 if size < 126 else 3 if size < 65536 else 9)
    bit = 0x80 if masked else 0
    if form == 1:
        head = struct.pack("!BB", first, bit | size)
    elif form == 3:
        head = struct.pack("!BBH", first, bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, bit | 127, size)
    return head + (KEY + mask(data) if masked else data)


def closing(code: int | None = 1000, reason: bytes = b"") -> bytes:
    data = b"" if code is None else struct.pack("!H", code) + reason
    return frame(CLOSE, data)


def deflated(data: bytes, bits: int = 15, context=None) -> bytes:
    """As a message of permessage-deflate (RFC 7692, 7.2.1)."""
    packer = context or zlib.compressobj(6, zlib.DEFLATED, -bits)
    out = packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)
    assert out.endswith(b"\x00\x00\xff\xff")
    return out[:-4]


@dataclass
class Frame:
    opcode: int
    data: bytes
    packed: bool = False


class BadFrame(AssertionError):
    """The server broke the protocol."""


class Client:
    def __init__(self, port: int, path: str, fields="", unpacker=None):
        self.socket = socket.create_connection(("127.0.0.1", port), GUARD)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            f"{fields}\r\n".encode()
        )
        while b"\r\n\r\n" not in self.rest:
            assert self._more(), self.rest
        self.head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        self.unpacker = unpacker  # makes what unpacks a message

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def field(self, name: str) -> str | None:
        for line in self.head.decode().split("\r\n")[1:]:
            key, value = line.split(": ", 1)
            if key.lower() == name.lower():
                return value
        return None

    def send(self, data: bytes, how="whole"):
        try:
            if how == "whole":
                self.socket.sendall(data)
            else:
                for at in range(len(data)):
                    self.socket.sendall(data[at : at + 1])
        except ConnectionError:
            pass  # it has closed before it was sent the rest

    def _more(self) -> bool:
        data = self.socket.recv(65536)
        self.rest += data
        return data != b""

    def _take(self, size: int) -> bytes:
        while len(self.rest) < size:
            if not self._more():
                raise BadFrame(f"cut off after {self.rest!r}")
        data, self.rest = self.rest[:size], self.rest[size:]
        return data

    def read(self) -> Frame:
        first, second = self._take(2)
        if not first & 0x80 or first & 0x30 or second & 0x80:
            raise BadFrame(f"{first:02x} {second:02x}")
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", self._take(2))
            least = 126
        elif size == 127:
            (size,) = struct.unpack("!Q", self._take(8))
            least = 65536
        else:
            least = 0
        if size < least:
            raise BadFrame("a length that is longer than it must be")
        packed = bool(first & 0x40)
        data = self._take(size)
        if packed:
            data = self.unpack(data)
        return Frame(first & 15, data, packed)

    def unpack(self, data: bytes) -> bytes:
        if self.unpacker is None:
            raise BadFrame("RSV1 where nothing was agreed")
        unpacker = self.unpacker()
        return unpacker.decompress(data + b"\x00\x00\xff\xff")

    def at_end(self) -> bool:
        """The server has closed, and nothing else has come."""
        try:
            return not self.rest and not self._more()
        except ConnectionResetError:
            return not self.rest
