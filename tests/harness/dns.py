"""dns - a name server that answers what a test says, over UDP and TCP.

    with NameServer({("www.test", "A"): [(60, "192.0.2.1")]}) as names:
        ... ask 127.0.0.1:{names.port} ...

Data: an address, a name, (priority, name), (priority, weight, port, name) or
texts, by the type. A record is (ttl, data); a list of them may begin with
(owner, type, ttl, data) for records of other names (CNAMEs on the way). A
function as the value gets the question's bytes and gives the answer's, or
None: nothing is sent. A name that has other types has no such records; one that
has none does not exist."""

import ipaddress
import socket
import struct
import threading

from harness.wait import wait_for

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "PTR": 12, "MX": 15, "TXT": 16,
         "AAAA": 28, "SRV": 33}
NUMBERS = {number: name for name, number in TYPES.items()}


def encode_name(name: str) -> bytes:
    labels = [part for part in name.rstrip(".").split(".") if part]
    out = b"".join(bytes([len(x)]) + x.encode("latin-1") for x in labels)
    return out + b"\0"


def encode_data(kind: str, data) -> bytes:
    if kind in ("A", "AAAA"):
        return ipaddress.ip_address(data).packed
    if kind == "MX":
        return struct.pack(">H", data[0]) + encode_name(data[1])
    if kind == "SRV":
        return struct.pack(">HHH", *data[:3]) + encode_name(data[3])
    if kind == "TXT":
        texts = [data] if isinstance(data, str) else data
        return b"".join(bytes([len(t)]) + t.encode("latin-1") for t in texts)
    return encode_name(data)


def read_question(query: bytes) -> tuple[str, str]:
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("latin-1"))
        at += query[at] + 1
    kind = struct.unpack_from(">H", query, at + 1)[0]
    return ".".join(labels).lower(), NUMBERS.get(kind, str(kind))


def question_of(query: bytes) -> bytes:
    at = 12
    while query[at]:
        at += query[at] + 1
    return query[12 : at + 5]


def make(query: bytes, records=(), rcode=0, flags=0x8580) -> bytes:
    """An answer; records: (owner, type, ttl, data)."""
    head = query[:2] + struct.pack(">HHHHH", flags | rcode, 1, len(records),
                                   0, 0)
    out = head + question_of(query)
    for owner, kind, ttl, data in records:
        data = encode_data(kind, data)
        out += encode_name(owner)
        out += struct.pack(">HHIH", TYPES[kind], 1, ttl, len(data)) + data
    return out


class NameServer:
    def __init__(self, records: dict):
        self.records = records
        self.questions: list[tuple[str, str]] = []
        self.over_tcp = 0
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self.tcp.getsockname()[1]
        self.udp = socket.socket(type=socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        self.address = f"127.0.0.1:{self.port}"

    def _answer(self, query: bytes) -> bytes | None:
        name, kind = read_question(query)
        self.questions.append((name, kind))
        found = self.records.get((name, kind))
        if callable(found):
            return found(query)
        if found is None:
            exists = any(known == name for known, _ in self.records)
            return make(query, rcode=0 if exists else 3)
        return make(query, [r if len(r) == 4 else (name, kind, *r)
                            for r in found])

    def _serve_udp(self):
        while True:
            query, sender = self.udp.recvfrom(4096)
            if not query:
                return
            answer = self._answer(query)
            if answer is not None and len(answer) > 512:
                answer = make(query, flags=0x8780)  # truncated: ask by TCP
            if answer is not None:
                self.udp.sendto(answer, sender)

    def _serve_tcp(self):
        while True:
            try:
                conn, _ = self.tcp.accept()
            except OSError:
                return
            with conn:
                size = conn.recv(2, socket.MSG_WAITALL)
                if len(size) < 2:
                    continue
                query = conn.recv(int.from_bytes(size, "big"),
                                  socket.MSG_WAITALL)
                self.over_tcp += 1
                answer = self._answer(query)
                if answer is not None:
                    conn.sendall(len(answer).to_bytes(2, "big") + answer)

    def asked(self, name: str, kind: str) -> int:
        return self.questions.count((name, kind))

    def wait_asked(self, name: str, kind: str, count=1):
        wait_for(lambda: self.asked(name, kind) >= count, f"{name} {kind}")

    def __enter__(self):
        self.threads = [threading.Thread(target=run, daemon=True)
                        for run in (self._serve_udp, self._serve_tcp)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.udp.sendto(b"", ("127.0.0.1", self.port))
        self.tcp.shutdown(socket.SHUT_RDWR)
        self.tcp.close()
        for thread in self.threads:
            thread.join()
        self.udp.close()
