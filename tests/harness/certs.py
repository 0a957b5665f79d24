"""certs - certificates of a CA of the tests' own, made by openssl.

Keys are made once for all: it is their certificates that differ."""

import ssl
import subprocess
from pathlib import Path

KINDS = {
    "rsa": ["-newkey", "rsa:2048"],
    "ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
}


def openssl(*args, input=None) -> bytes:
    done = subprocess.run(
        ["openssl", *map(str, args)],
        input=input,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


class Authority:
    """Signs certificates; they and their keys are files in folder."""

    def __init__(self, folder: Path, name: str = "ca"):
        self.folder = folder
        self.name = name
        self.cert = folder / f"{name}.crt"
        self.key = folder / f"{name}.key"
        openssl(
            "req", "-x509", *KINDS["ec"], "-nodes", "-days", "30",
            "-subj", f"/CN={name} of the tests",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
            "-keyout", self.key, "-out", self.cert,
        )

    def sign(self, name, names=(), kind="ec", days=30, subject=None):
        """Makes name.crt and name.key for names (DNS, or addresses)."""
        alt = ",".join(
            ("IP:" if n[0].isdigit() or ":" in n else "DNS:") + n
            for n in names
        )
        request, config = self.folder / "csr", self.folder / "ext"
        lines = "basicConstraints=critical,CA:FALSE\n"
        lines += "keyUsage=critical,digitalSignature\n"
        lines += "extendedKeyUsage=serverAuth,clientAuth\n"
        config.write_text(lines + (f"subjectAltName={alt}\n" if alt else ""))
        cert, key = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        openssl(
            "req", *KINDS[kind], "-nodes", "-keyout", key, "-out", request,
            "-subj", subject or f"/O=Tests/CN={name}",
        )
        openssl(
            "x509", "-req", "-in", request, "-CA", self.cert,
            "-CAkey", self.key, "-CAcreateserial", "-days", days,
            "-extfile", config, "-out", cert,
        )
        return cert, key

    def context(self, cert=None, key=None, alpn=None) -> ssl.SSLContext:
        """Of a client that believes this authority only."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.cert)
        if cert is not None:
            context.load_cert_chain(cert, key)
        if alpn:
            context.set_alpn_protocols(alpn)
        return context


class Records:
    """A client that sees the records: TLS in memory over a plain socket."""

    def __init__(self, wire, context, name="localhost"):
        self.wire = wire
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self.incoming, self.outgoing, server_hostname=name
        )

    def flush(self, how="whole"):
        self.wire.send(self.outgoing.read(), how)

    def fill(self) -> bool:
        """Reads more records; False at the end."""
        data = self.wire.socket.recv(65536)
        if data:
            self.incoming.write(data)
        else:
            self.incoming.write_eof()
        return bool(data)

    def _do(self, step, how):
        while True:
            try:
                result = step()
                self.flush(how)
                return result
            except ssl.SSLWantReadError:
                self.flush(how)
                self.fill()

    def handshake(self, how="whole"):
        self._do(self.tls.do_handshake, how)

    def write(self, data: bytes, how="whole"):
        self.tls.write(data)
        self.flush(how)

    def read(self, size=65536) -> bytes:
        try:
            return self._do(lambda: self.tls.read(size), "whole")
        except ssl.SSLZeroReturnError:
            return b""

    def read_until(self, mark: bytes) -> bytes:
        data = b""
        while mark not in data:
            piece = self.read()
            assert piece, f"the end came after {data!r}"
            data += piece
        return data
