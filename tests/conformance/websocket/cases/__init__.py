"""All cases, in reading order."""

from . import (
    closing,
    compression,
    control,
    fragments,
    framing,
    limits,
    reserved,
    utf8,
)

CASES = [
    *framing.CASES,
    *control.CASES,
    *reserved.CASES,
    *fragments.CASES,
    *utf8.CASES,
    *closing.CASES,
    *limits.CASES,
    *compression.CASES,
]
