"""admin - questions to the admin socket of a server (server.admin: where)."""

from .wait import GUARD
from .wire import Response, Wire


def ask(server, target: str, method: str = "GET") -> Response:
    with Wire(server.admin, GUARD) as wire:
        return wire.request(method, target)


def status(server) -> dict:
    """As all workers answer it, however slow the machine is."""
    response = ask(server, "/status?wait=60")
    assert response.status == 200
    assert response.header("content-type").startswith("application/json")
    return response.json()


def total(server, *path: str) -> int:
    """A number of the status, of all workers together."""
    sums = 0
    for worker in status(server)["workers"]:
        for name in path:
            worker = worker[name]
        sums += worker
    return sums
