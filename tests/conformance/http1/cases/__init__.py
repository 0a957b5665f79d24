"""All cases, in reading order."""

from . import (
    chunked,
    conditional,
    connection,
    fields,
    framing,
    limits,
    methods,
    ranges,
    request_line,
    targets,
)

CASES = [
    *request_line.CASES,
    *fields.CASES,
    *framing.CASES,
    *chunked.CASES,
    *connection.CASES,
    *methods.CASES,
    *targets.CASES,
    *conditional.CASES,
    *ranges.CASES,
    *limits.CASES,
]
