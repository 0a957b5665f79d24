"""attack - one attack: its bytes, how they are sent, and how it ends."""

import functools
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Attack:
    name: str
    wire: str  # that it attacks: h1, h2, ws, tls, proxy
    make: Callable[[], tuple[bytes, bytes]]  # see opening and block
    ends: str = ""  # the code by which the server ends it; "": it does not
    connections: int = 32
    pace_ms: int = 0  # behind the opening one byte at a time, this far apart
    again: bool = True  # who has been ended connects anew
    deaf: bool = False  # never reads
    hasty: bool = False  # leaves as soon as it has been answered

    @functools.cached_property
    def bytes(self) -> tuple[bytes, bytes]:
        return self.make()

    @property
    def opening(self) -> bytes:
        """Sent once by each connection."""
        return self.bytes[0]

    @property
    def block(self) -> bytes:
        """Sent behind it, again and again."""
        return self.bytes[1]


def once(data: bytes):
    return lambda: (data, b"")
