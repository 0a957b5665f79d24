"""codings - the content codings as other people's libraries read and write
them."""

import gzip
import zlib

import brotli
import zstandard

ENCODE = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
}


def decoder(coding):
    """A function from bytes, as they come, to bytes."""
    if coding == "gzip":
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress
    if coding == "br":
        return brotli.Decompressor().process
    if coding == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress
    return bytes


def decode(coding, data: bytes) -> bytes:
    """The whole of it; raises where it is cut off or followed by anything."""
    if coding == "gzip":
        return gzip.decompress(data)
    if coding == "br":
        return brotli.decompress(data)
    if coding == "zstd":
        unpack = zstandard.ZstdDecompressor().decompressobj()
        out = unpack.decompress(data)
        assert unpack.unused_data == b""
        return out
    return data
