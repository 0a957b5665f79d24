"""RFC 7541: header compression, as the server reads it. Each case has requests
of its own making; what cannot be read ends the connection."""

import hpack
from harness.h2wire import (
    CONTINUATION, END_HEADERS, END_STREAM, HEADERS, block, frame, integer,
    literal,
)  # fmt: skip

from ..case import answer, case, ends, fields, get

BROKEN = "COMPRESSION_ERROR"
BASE = block(*fields("GET", "/header"))


def raw(stream: int, data: bytes) -> bytes:
    return frame(HEADERS, END_HEADERS | END_STREAM, stream, data)


def reads(name, section, *blocks: bytes, want="[one]"):
    """The last of these requests is understood so."""
    frames = [raw(2 * n + 1, each) for n, each in enumerate(blocks)]
    return case(name, f"7541, {section}", *frames,
                want=answer(2 * len(blocks) - 1, body=want))  # fmt: skip


def broken(name, section, *blocks: bytes):
    frames = [raw(2 * n + 1, each) for n, each in enumerate(blocks)]
    return ends(name, f"7541, {section}", BROKEN, *frames)


def huffman(text: str) -> bytes:
    coded = hpack.Encoder().huffman_coder.encode(text.encode("latin-1"))
    return integer(len(coded), 7, 0x80) + coded


# GET, http, "/" and gzip, deflate of the static table
INDEXED = b"\x82\x86\x84" + b"\x01\x01a"
KEPT = b"\x40\x06x-test\x03one"  # 62 from now on

CASES = [
    # 2.3, 6.1
    case("fields of the static table", "7541, 6.1", raw(1, INDEXED),
         want=answer(1, body="hello")),
    broken("index zero", "6.1", b"\x80"),
    broken("an index beyond the static table", "2.3.3", BASE + b"\xbe"),
    broken("an index beyond both tables", "2.3.3", BASE + KEPT,
           BASE + b"\xbf"),
    broken("a huge index", "5.1", BASE + b"\xff\xff\xff\xff\x0f"),
    # 6.2
    reads("a literal that is kept", "6.2.1", BASE + KEPT),
    reads("... and used", "6.2.1", BASE + KEPT, BASE + b"\xbe"),
    reads("a literal that is kept, its name indexed", "6.2.1", BASE + KEPT,
          BASE + b"\x7e\x03two", BASE + b"\xbe", want="[two]"),
    reads("a literal that is not kept", "6.2.2",
          BASE + b"\x00\x06x-test\x03one"),
    broken("... is not there later", "6.2.2",
           BASE + b"\x00\x06x-test\x03one", BASE + b"\xbe"),
    reads("a literal that is never kept", "6.2.3",
          BASE + b"\x10\x06x-test\x03one"),
    broken("... is not there later, either", "6.2.3",
           BASE + b"\x10\x06x-test\x03one", BASE + b"\xbe"),
    broken("a literal with a name beyond the tables", "6.2.1",
           BASE + b"\x7e\x03one"),
    broken("a literal cut off", "6.2.1", BASE + b"\x40\x06x-te"),
    broken("a literal without a value", "6.2.1", BASE + b"\x40\x06x-test"),
    # 5.1
    reads("a length in several bytes", "5.1",
          BASE + literal("x-test", "y" * 300), want="[" + "y" * 300 + "]"),
    reads("a length with needless zeros", "5.1",
          BASE + b"\x00\x06x-test\x7f\x80\x00" + b"y" * 127,
          want="[" + "y" * 127 + "]"),
    broken("a length without end", "5.1", BASE + b"\x00\x7f" + b"\xff" * 20),
    broken("a length beyond the block", "5.2",
           BASE + b"\x00\x06x-test\x7e1"),
    # 5.2
    reads("Huffman's code", "5.2", BASE + b"\x00" + huffman("x-test")
          + huffman("one")),
    reads("Huffman's code of all bytes that may be", "5.2",
          BASE + b"\x00" + huffman("x-test")
          + huffman("".join(map(chr, range(33, 127)))),
          want="[" + "".join(map(chr, range(33, 127))) + "]"),
    broken("Huffman's code with the end in it", "5.2",
           BASE + b"\x00\x06x-test\x84\xff\xff\xff\xff"),
    broken("Huffman's code padded by eight bits", "5.2",
           BASE + b"\x00\x06x-test" + integer(4, 7, 0x80)
           + hpack.Encoder().huffman_coder.encode(b"one") + b"\xff\xff"),
    broken("Huffman's code padded by zeros", "5.2",
           BASE + b"\x00\x06x-test\x81\x18"),
    reads("a value of no bytes", "5.2", BASE + b"\x00\x06x-test\x00",
          want="[]"),
    reads("an empty value in Huffman's code", "5.2",
          BASE + b"\x00\x06x-test\x80", want="[]"),
    # 4, 6.3
    reads("the table made smaller", "6.3", b"\x20" + BASE + KEPT),
    broken("... holds nothing", "4.4", b"\x20" + BASE + KEPT,
           BASE + b"\xbe"),
    reads("the table made larger again", "6.3",
          b"\x20" + integer(4096, 5, 0x20) + BASE + KEPT, BASE + b"\xbe"),
    broken("the table larger than allowed", "6.3",
           integer(4097, 5, 0x20) + BASE),
    broken("a change of size behind a field", "4.2", BASE + b"\x20"),
    broken("what was pushed out is not there", "4.3",
           BASE + KEPT, integer(40, 5, 0x20) + BASE + b"\x40\x01a\x01b",
           BASE + b"\xbf"),
    broken("a field larger than the table empties it", "4.4", BASE + KEPT,
           BASE + b"\x40" + integer(6, 7, 0) + b"x-long"
           + integer(5000, 7, 0) + b"y" * 5000, BASE + b"\xbe"),
    reads("a name that is pushed out by its own field", "4.4",
          integer(42, 5, 0x20) + BASE + KEPT, BASE + b"\x7e\x03two",
          BASE + b"\xbe", want="[two]"),
    # 2.2
    case("tables go on over streams that were reset", "7541, 2.2",
         raw(1, BASE + KEPT + literal(":bad", "x")), raw(3, BASE + b"\xbe"),
         want=answer(3, body="[one]")),
    case("tables go on over blocks in pieces", "7541, 2.2",
         frame(HEADERS, END_STREAM, 1, BASE + KEPT[:4]),
         frame(CONTINUATION, END_HEADERS, 1, KEPT[4:]),
         raw(3, BASE + b"\xbe"), want=answer(3, body="[one]")),
    case("an empty block is malformed, not broken", "7541, 2.1", raw(1, b""),
         get(3), want=answer(3)),
    # Appendix C
    case("requests of appendix C.3", "7541, C.3",
         raw(1, bytes.fromhex("828684410f7777772e6578616d706c652e636f6d")),
         raw(3, bytes.fromhex("828684be58086e6f2d6361636865")),
         raw(5, bytes.fromhex("828785bf400a637573746f6d2d6b65790c637573746f"
                              "6d2d76616c7565")),
         want=(answer(1), answer(3), answer(5, 404))),
    case("requests of appendix C.4", "7541, C.4",
         raw(1, bytes.fromhex("828684418cf1e3c2e5f23a6ba0ab90f4ff")),
         raw(3, bytes.fromhex("828684be5886a8eb10649cbf")),
         raw(5, bytes.fromhex("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4"
                              "bf")),
         want=(answer(1), answer(3), answer(5, 404))),
    # bombs
    case("a list of fields that is too large", "9113, 10.5.1",
         raw(1, BASE + b"\x40\x01x" + integer(3000, 7, 0) + b"y" * 3000
             + b"\xbe" * 12), get(3), want=(answer(1, 431), answer(3))),
    ends("a bomb: one field again and again", "9113, 10.5.1",
         "ENHANCE_YOUR_CALM",
         raw(1, BASE + b"\x40\x01x" + integer(3000, 7, 0) + b"y" * 3000
             + b"\xbe" * 10000)),
    ends("a bomb of small fields", "9113, 10.5.1", "ENHANCE_YOUR_CALM",
         raw(1, BASE + b"\x40\x01x\x00" + b"\xbe" * 10000)),
]  # fmt: skip
