"""fuse - a file system that answers when the test lets it.

Speaks the kernel's FUSE protocol itself (linux/fuse.h, version 7.31), for one
folder of files that nobody may write. Operations that are held wait, and with
them whoever asked the kernel: a disk that is as slow as the test likes, without
any clock."""

import ctypes
import os
import struct
import threading
from pathlib import Path

from .wait import wait_for

LOOKUP, FORGET, GETATTR, OPEN, READ, STATFS = 1, 2, 3, 14, 15, 17
RELEASE, FLUSH, INIT, OPENDIR, RELEASEDIR = 18, 25, 26, 27, 29
BATCH_FORGET = 42
NAMES = {"lookup": LOOKUP, "getattr": GETATTR, "open": OPEN, "read": READ}
ENOENT, ENOSYS = 2, 38
HEADER = struct.Struct("<IIQQIIII")  # fuse_in_header
ROOT = 1
MS_RDONLY, MNT_DETACH = 1, 2

libc = ctypes.CDLL(None, use_errno=True)


def available() -> bool:
    return os.geteuid() == 0 and os.access("/dev/fuse", os.R_OK | os.W_OK)


class Fuse:
    """files: name -> bytes. A context manager; the mount is at .path."""

    def __init__(self, path: Path, files: dict):
        path.mkdir()
        self.path = path
        self.files = [(name.encode(), data) for name, data in files.items()]
        self.held: list[bytes] = []
        self.holding: set[int] = set()
        self.seen: list[int] = []
        self.lock = threading.Lock()
        self.device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self.device},rootmode=40755,user_id=0,group_id=0"
        done = libc.mount(
            b"fuse", os.fsencode(path), b"fuse", MS_RDONLY, options.encode()
        )
        if done != 0:
            os.close(self.device)
            raise OSError(ctypes.get_errno(), "mount")
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()
        libc.umount2(os.fsencode(self.path), MNT_DETACH)
        self.thread.join()
        os.close(self.device)

    # ---- for tests ----

    def hold(self, *names: str):
        """From now on these operations wait."""
        with self.lock:
            self.holding = {NAMES[name] for name in names}

    def wait_held(self):
        """Until somebody waits for an operation that is held."""
        wait_for(lambda: self.held, "an operation that is held")

    def release(self):
        with self.lock:
            self.holding = set()
            requests, self.held = self.held, []
        for request in requests:
            self._answer(request)

    # ---- the protocol ----

    def _serve(self):
        while True:
            try:
                request = os.read(self.device, 1 << 20)
            except InterruptedError:
                continue
            except OSError:  # unmounted
                return
            opcode = HEADER.unpack_from(request)[1]
            with self.lock:
                self.seen.append(opcode)
                if opcode in self.holding:
                    self.held.append(request)
                    continue
            self._answer(request)

    def _answer(self, request: bytes):
        _, opcode, unique, node, *_ = HEADER.unpack_from(request)
        if opcode in (FORGET, BATCH_FORGET):
            return
        error, payload = self._result(opcode, node, request[HEADER.size :])
        head = struct.pack("<IiQ", 16 + len(payload), -error, unique)
        try:
            os.write(self.device, head + payload)
        except OSError:  # whoever asked has gone
            pass

    def _result(self, opcode: int, node: int, body: bytes):
        if opcode == INIT:
            return 0, self._init(body)
        if opcode == LOOKUP:
            return self._lookup(body.rstrip(b"\0"))
        if opcode == GETATTR:
            return 0, struct.pack("<QII", 0, 0, 0) + self._attributes(node)
        if opcode in (OPEN, OPENDIR):
            return 0, struct.pack("<QII", 0, 0, 0)
        if opcode == READ:
            offset, size = struct.unpack_from("<8xQI", body)
            return 0, self.files[node - 2][1][offset : offset + size]
        if opcode == STATFS:
            return 0, struct.pack("<5Q4I24x", 0, 0, 0, 0, 0, 4096, 255, 4096, 0)
        if opcode in (RELEASE, RELEASEDIR, FLUSH):
            return 0, b""
        return ENOSYS, b""

    def _init(self, body: bytes) -> bytes:
        _, _, ahead, _ = struct.unpack_from("<4I", body)
        return struct.pack(
            "<4IHHIIHHI28x", 7, 31, ahead, 0, 16, 12, 1 << 16, 1, 0, 0, 0
        )

    def _lookup(self, name: bytes):
        for index, (known, _) in enumerate(self.files):
            if known == name:
                node = index + 2
                # Names are good for ever; attributes are asked for each time.
                entry = struct.pack("<QQQQII", node, 0, 1 << 30, 0, 0, 0)
                return 0, entry + self._attributes(node)
        return ENOENT, b""

    def _attributes(self, node: int) -> bytes:
        folder = node == ROOT
        size = 0 if folder else len(self.files[node - 2][1])
        mode = 0o40755 if folder else 0o100644
        return struct.pack(
            "<QQQQQQ3I6II",
            *(node, size, (size + 511) // 512),
            *(1_000_000_000,) * 3,
            *(0,) * 3,
            *(mode, 1, 0, 0, 0, 4096),
            0,
        )
