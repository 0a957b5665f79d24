"""3, 4: bits and opcodes that mean nothing yet (RFC 6455, 5.2)."""

from ..case import case, echo, ping, refused, text
from ..frames import BINARY, CLOSE, CONTINUE, PING, PONG, TEXT, frame

NAMES = {TEXT: "text", BINARY: "binary", CONTINUE: "continuation",
         PING: "ping", PONG: "pong", CLOSE: "close"}
UNKNOWN = (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)

CASES = [
    *(
        refused(f"3.{rsv} reserved bits {rsv} of {name}", "5.2",
                frame(opcode, b"\x03\xe8" if opcode == CLOSE else b"x",
                      rsv=rsv))
        for rsv in range(1, 8)
        for opcode, name in NAMES.items()
        if opcode != CONTINUE
    ),
    *(
        refused(f"3.8 reserved bits {rsv} of a fragment", "5.2",
                frame(TEXT, b"a", fin=False) + frame(CONTINUE, b"b", rsv=rsv))
        for rsv in (1, 2, 4)
    ),
    *(
        refused(f"3.9 reserved bits {rsv} behind a message", "5.2",
                [text("good"), frame(TEXT, b"bad", rsv=rsv), ping()],
                [echo("good")])
        for rsv in (1, 2, 4)
    ),
    *(
        refused(f"4.1 opcode {opcode}", "5.2", frame(opcode))
        for opcode in UNKNOWN
    ),
    *(
        refused(f"4.2 opcode {opcode} with a payload", "5.2",
                [text("good"), frame(opcode, b"bad"), ping()], [echo("good")])
        for opcode in UNKNOWN
    ),
    *(
        refused(f"4.3 opcode {opcode} between fragments", "5.2",
                frame(TEXT, b"a", fin=False) + frame(opcode, b"b"))
        for opcode in (3, 11)
    ),
    case("4.4 all opcodes that there are", "5.2",
         [text("a"), frame(BINARY, b"b"), frame(PONG)],
         [echo("a"), echo(b"b")]),
]
