"""tls - attacks by TLS: handshakes, which cost the server more than the client.

A greeting is made once: the server computes a key and a signature for each
copy of it, the attacker nothing."""

import ssl

from .attack import Attack


def greeting() -> bytes:
    """What a client says first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    said = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), said).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return said.read()


ATTACKS = [
    Attack("handshakes", "tls", lambda: (greeting(), b""), hasty=True),
    Attack("handshakes left open", "tls", lambda: (greeting(), b""),
           connections=1000),
    Attack("partial handshakes", "tls", lambda: (greeting()[:100], b""),
           connections=1000),
]  # fmt: skip
