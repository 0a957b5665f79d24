"""All cases, in reading order."""

from . import (
    connection,
    flow,
    frames,
    hpack,
    messages,
    settings,
    streams,
)

CASES = [
    *connection.CASES,
    *frames.CASES,
    *streams.CASES,
    *flow.CASES,
    *settings.CASES,
    *messages.CASES,
    *hpack.CASES,
]
