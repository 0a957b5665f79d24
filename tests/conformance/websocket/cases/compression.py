"""12, 13: permessage-deflate (RFC 7692)."""

import zlib

from ..case import Case, case, echo, ping, pong, refused, text
from ..frames import BINARY, CONTINUE, PING, TEXT, deflated, frame

NAME = "permessage-deflate"
FRESH = f"{NAME}; server_no_context_takeover; client_no_context_takeover"
CONTEXT = f"{NAME}; server_max_window_bits=12"
RSV1 = 4

# What a client offers, and what /packed says to that.
OFFERS = {
    "nothing": (NAME, FRESH),
    "client_max_window_bits": (f"{NAME}; client_max_window_bits", FRESH),
    "a value for it": (f"{NAME}; client_max_window_bits=9",
                       f"{FRESH}; client_max_window_bits=9"),
    "server_max_window_bits=15": (f"{NAME}; server_max_window_bits=15", FRESH),
    "server_max_window_bits=10": (f"{NAME}; server_max_window_bits=10",
                                  f"{FRESH}; server_max_window_bits=10"),
    "it in quotes": (f'{NAME}; server_max_window_bits="10"',
                     f"{FRESH}; server_max_window_bits=10"),
    "no context": (f"{NAME}; client_no_context_takeover; "
                   "server_no_context_takeover", FRESH),
    "all of them": (f"{NAME}; server_no_context_takeover; "
                    "client_no_context_takeover; server_max_window_bits=11; "
                    "client_max_window_bits=12",
                    f"{FRESH}; server_max_window_bits=11; "
                    "client_max_window_bits=12"),
    "white space": (f"{NAME} ;client_max_window_bits ", FRESH),
    "two, the first unknown": (f"x-deflate, {NAME}", FRESH),
    "two, the first impossible": (
        f"{NAME}; server_max_window_bits=8, {NAME}", FRESH),
    "two, the second smaller": (
        f"{NAME}, {NAME}; server_max_window_bits=10", FRESH),
    "a window of 8": (f"{NAME}; server_max_window_bits=8", None),
    "a window of 7": (f"{NAME}; server_max_window_bits=7", None),
    "a window of 16": (f"{NAME}; server_max_window_bits=16", None),
    "a leading zero": (f"{NAME}; server_max_window_bits=010", None),
    "no number": (f"{NAME}; server_max_window_bits=x", None),
    "no value": (f"{NAME}; server_max_window_bits", None),
    "a value where none may be": (
        f"{NAME}; server_no_context_takeover=1", None),
    "a client window of 16": (f"{NAME}; client_max_window_bits=16", None),
    "a parameter twice": (
        f"{NAME}; client_max_window_bits; client_max_window_bits", None),
    "a flag twice": (f"{NAME}; server_no_context_takeover; "
                     "server_no_context_takeover", None),
    "an unknown parameter": (f"{NAME}; fast", None),
    "another extension": ("x-webkit-deflate-frame", None),
    "another case": ("Permessage-Deflate", None),
}
# The same for /context.
IN_CONTEXT = {
    "nothing": (NAME, CONTEXT),
    "client_max_window_bits": (f"{NAME}; client_max_window_bits",
                               f"{CONTEXT}; client_max_window_bits=12"),
    "a smaller one": (f"{NAME}; client_max_window_bits=10",
                      f"{CONTEXT}; client_max_window_bits=10"),
    "a larger server's": (f"{NAME}; server_max_window_bits=14", CONTEXT),
    "a smaller server's": (f"{NAME}; server_max_window_bits=9",
                           f"{NAME}; server_max_window_bits=9"),
    "no context of the server": (
        f"{NAME}; server_no_context_takeover",
        f"{NAME}; server_no_context_takeover; server_max_window_bits=12"),
    "no context of the client": (
        f"{NAME}; client_no_context_takeover",
        f"{NAME}; client_no_context_takeover; server_max_window_bits=12"),
}


def packed(data: bytes, opcode=TEXT, **more) -> bytes:
    return frame(opcode, deflated(data, **more), rsv=RSV1)


def prose(size: int) -> bytes:
    words = b"the quick brown fox jumps over the lazy dog and so on "
    lines = (b"%d %s" % (n, words) for n in range(size // len(words) + 1))
    return b"\n".join(lines)[:size]


def on(path, name, send, want=(), agreed=FRESH, **more) -> Case:
    return case(name, "7692, 7.2", send, want, extensions=NAME, agreed=agreed,
                path=path, **more)


def bad(name, send, want=(), code=1007, path="/packed", agreed=FRESH) -> Case:
    return refused(name, "7692, 7.2", send, want, code, extensions=NAME,
                   agreed=agreed, path=path)


def in_context(*messages: bytes) -> list[bytes]:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return [packed(data, context=packer) for data in messages]


SIZES = (0, 1, 16, 64, 256, 1024, 4096, 16384, 65536, 131072)
LARGE = f"{NAME}"  # /large has the largest windows: nothing to say of them
ONE = deflated(prose(3000))
STORED = zlib.compressobj(0, zlib.DEFLATED, -15)
FINAL = zlib.compressobj(6, zlib.DEFLATED, -15)
FINAL = FINAL.compress(b"Hello") + FINAL.flush(zlib.Z_FINISH) + b"\x00"

CASES = [
    *(
        case(f"12.1 offered: {name}", "7692, 7.1", text("x"), [echo("x")],
             extensions=offer, agreed=answer, path="/packed")
        for name, (offer, answer) in OFFERS.items()
    ),
    *(
        case(f"12.1 with context: {name}", "7692, 7.1", text("x"), [echo("x")],
             extensions=offer, agreed=answer, path="/context")
        for name, (offer, answer) in IN_CONTEXT.items()
    ),
    case("12.1 where it is off", "7692, 5.1", text("x"), [echo("x")],
         extensions=NAME, agreed=None, path="/echo"),
    *(
        on(path, f"12.2 text of {n}, {path[1:]}", packed(prose(n)),
           [echo(prose(n).decode())], agreed, takes_over=takes_over)
        for n in SIZES
        for path, agreed, takes_over in (
            ("/packed", FRESH, False), ("/always", FRESH, False),
            ("/context", CONTEXT, True), ("/large", LARGE, True))
    ),
    *(
        on("/always", f"12.3 binary of {n}", packed(bytes(n), BINARY),
           [echo(bytes(n))])
        for n in SIZES
    ),
    *(
        on(path, f"12.4 the same ten times, {path[1:]}",
           in_context(*[prose(2000)] * 10), [echo(prose(2000).decode())] * 10,
           agreed, takes_over=True)
        for path, agreed in (("/context", CONTEXT), ("/large", LARGE))
    ),
    on("/packed", "12.5 one that is not packed", text("plain"),
       [echo("plain")]),
    on("/context", "12.5 by turns",
       [*in_context(prose(900)), text("plain"), packed(b"")],
       [echo(prose(900).decode()), echo("plain"), echo("")], CONTEXT,
       takes_over=True),
    on("/packed", "12.6 in fragments",
       [frame(TEXT, ONE[:7], fin=False, rsv=RSV1),
        frame(CONTINUE, ONE[7:50], fin=False), frame(CONTINUE, ONE[50:])],
       [echo(prose(3000).decode())]),
    on("/packed", "12.6 in fragments with a ping",
       [frame(TEXT, ONE[:7], fin=False, rsv=RSV1), ping(b"p"),
        frame(CONTINUE, ONE[7:])],
       [pong(b"p"), echo(prose(3000).decode())]),
    on("/packed", "12.6 each byte a fragment",
       [frame(TEXT, b"", fin=False, rsv=RSV1),
        *[frame(CONTINUE, ONE[n : n + 1], fin=False)
          for n in range(len(ONE))], frame(CONTINUE)],
       [echo(prose(3000).decode())]),
    on("/packed", "12.7 without compression",
       packed(b"stored", context=STORED), [echo("stored")]),
    on("/packed", "12.7 a block that says it is the last",
       frame(TEXT, FINAL, rsv=RSV1), [echo("Hello")]),
    on("/packed", "12.7 empty in one byte",
       frame(TEXT, b"\x00", rsv=RSV1), [echo("")]),
    on("/packed", "12.8 1 MiB", packed(b"*" * (1 << 20)),
       [echo("*" * (1 << 20))]),
    bad("12.8 one byte more", packed(b"*" * ((1 << 20) + 1)), code=1009),
    bad("12.8 a bomb of 64 MiB", packed(bytes(64 << 20), BINARY), code=1009),
    bad("12.8 a bomb, with context", packed(bytes(64 << 20), BINARY),
        code=1009, path="/context", agreed=CONTEXT),
    bad("13.1 no deflate at all", frame(TEXT, b"\xff" * 20, rsv=RSV1)),
    bad("13.1 a bad block behind a good one",
        frame(TEXT, deflated(b"good") + b"\x00\x00\xff\xff\x07", rsv=RSV1)),
    bad("13.1 back to what was never there",
        frame(TEXT, b"\x03\x82\x01", rsv=RSV1)),
    bad("13.2 text that is no UTF-8", packed(b"caf\xe9!")),
    bad("13.2 text that is cut", packed(b"\xe2\x82")),
    bad("13.3 RSV1 of a later fragment",
        frame(TEXT, ONE[:9], fin=False, rsv=RSV1)
        + frame(CONTINUE, ONE[9:], rsv=RSV1), code=1002),
    bad("13.3 RSV1 of a ping", frame(PING, b"", rsv=RSV1), code=1002),
    bad("13.3 RSV2 of a packed message", frame(TEXT, ONE, rsv=6), code=1002),
    bad("13.4 context where each is by itself",
        in_context(prose(600), prose(600)), [echo(prose(600).decode())]),
    refused("13.5 packed where nothing was agreed", "5.2", packed(b"x")),
]
