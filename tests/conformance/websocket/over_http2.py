"""over_http2 - the same client on a stream of HTTP/2 (RFC 8441)."""

import socket

import h2.config
import h2.connection
import h2.events
import h2.settings

from harness.wait import GUARD

from .frames import Client


class Http2Client(Client):
    def __init__(self, port: int, path: str, fields="", unpacker=None):
        self.socket = socket.create_connection(("127.0.0.1", port), GUARD)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest, self.unpacker, self.over = b"", unpacker, False
        self.answer: dict[str, str] = {}
        config = h2.config.H2Configuration(header_encoding="utf-8")
        self.http2 = h2.connection.H2Connection(config)
        self.http2.initiate_connection()
        self._flush()
        while not self.http2.remote_settings.enable_connect_protocol:
            assert self._events()
        extra = [line.split(": ", 1) for line in fields.splitlines()]
        self.http2.send_headers(1, [
            (":method", "CONNECT"), (":protocol", "websocket"),
            (":scheme", "http"), (":authority", "a"), (":path", path),
            ("sec-websocket-version", "13"),
            *((name.lower(), value) for name, value in extra),
        ])
        self._flush()
        while not self.answer:
            assert self._events()
        self.head = f"HTTP/2 {self.answer[':status']} ".encode()

    def field(self, name: str) -> str | None:
        return self.answer.get(name.lower())

    def _flush(self):
        self.socket.sendall(self.http2.data_to_send())

    def _events(self) -> bool:
        """Reads once; False: the connection has ended."""
        data = self.socket.recv(65536)
        for event in self.http2.receive_data(data) if data else []:
            if isinstance(event, h2.events.ResponseReceived):
                self.answer = dict(event.headers)
            elif isinstance(event, h2.events.DataReceived):
                self.rest += event.data
                self.http2.acknowledge_received_data(
                    event.flow_controlled_length, event.stream_id)
            elif isinstance(event, (h2.events.StreamEnded,
                                    h2.events.StreamReset)):
                self.over = True
        self._flush()
        return data != b""

    def send(self, data: bytes, how="whole"):
        step = 1 if how == "bytewise" else 16384
        while data and not self.over:
            room = min(self.http2.local_flow_control_window(1), step)
            if room == 0:
                self._events()
                continue
            self.http2.send_data(1, data[:room])
            data = data[room:]
            self._flush()

    def _more(self) -> bool:
        before = len(self.rest)
        while len(self.rest) == before and not self.over:
            if not self._events():
                return False
        return len(self.rest) > before
