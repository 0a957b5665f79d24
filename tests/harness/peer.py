"""peer - the other end of connections that perilune opens: one function for
each, on a thread of its own.

    with Peer(lambda conn: conn.sendall(b"hello")) as peer:
        ... perilune connects to 127.0.0.1:{peer.port} ...

An assertion that fails in the function fails the test when the peer ends."""

import socket
import struct
import threading

from harness.wait import GUARD


class Peer:
    def __init__(self, serve, path=None):
        self.serve = serve
        self.errors: list[BaseException] = []
        self.accepted = 0
        self.ended = 0
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(path))
            self.address = f"unix:{path}"
        else:
            self.listener = socket.create_server(("127.0.0.1", 0))
            self.port = self.listener.getsockname()[1]
            self.address = f"127.0.0.1:{self.port}"
        self.listener.listen()
        self.threads: list[threading.Thread] = []
        self._start(self._accept)

    def _start(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            conn.settimeout(GUARD)
            self._start(self._run, conn)

    def _run(self, conn):
        try:
            with conn:
                self.serve(conn)
        except BaseException as error:
            self.errors.append(error)
        self.ended += 1

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(GUARD if kind is None else 1)
        if kind is None:
            assert not self.errors, self.errors


def read_to_end(conn) -> bytes:
    data = b""
    while block := conn.recv(65536):
        data += block
    return data


def echo(conn):
    while block := conn.recv(65536):
        conn.sendall(block)


def reset(conn):
    """Closes with an RST."""
    at_once = struct.pack("ii", 1, 0)
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    conn.close()
