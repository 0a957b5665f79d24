# ws.py - the peer in Python: the library websockets, without compression.
import asyncio
import sys

import websockets

room = set()


async def serve(socket, path):
    if path == "/echo":
        async for message in socket:
            await socket.send(message)
        return
    room.add(socket)
    try:
        async for message in socket:
            websockets.broadcast(room, message)
    finally:
        room.discard(socket)


async def main():
    async with websockets.serve(
        serve, "127.0.0.1", int(sys.argv[1]), compression=None,
        ping_interval=None, backlog=4096,
    ):  # fmt: skip
        await asyncio.Future()


asyncio.run(main())
