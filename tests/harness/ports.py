"""ports - of other programs, which cannot ask the kernel for one and say it."""

import socket


def free_port() -> int:
    """A TCP port that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port: int) -> bool:
    """Does somebody? Who closes the listener resets what is in its queue, so
    a reset tells of one that was there a moment ago."""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    except ConnectionResetError:
        pass
    return True
