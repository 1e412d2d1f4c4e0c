"""A terminal on a WebSocket: bytes are what was typed or printed, text is JSON for control."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from testbed.console.subscribertty import SubscriberTerminal, resize
from testbed.errors import TestbedError
from testbed.foreignjson import json_value

FULL = 4003  # why a WebSocket is closed: no terminal can be had
_ENDING: Final = 3.0  # seconds in which the shells of a page that was left have ended; our choice
_TICK: Final = 0.05  # seconds; our choice


async def comes_free(is_free: Callable[[], bool]) -> bool:
    """Whether there is room for a terminal, now or when those have ended whose page has just been left.

    A page that is loaded anew opens all of its terminals while its old ones still end.
    """
    end = time.monotonic() + _ENDING
    while not is_free() and time.monotonic() < end:
        await asyncio.sleep(_TICK)
    return is_free()


async def attend_shell(
    socket: WebSocket,
    open_it: Callable[[int, int], SubscriberTerminal],
    sockets: dict[WebSocket, asyncio.Event],
    typed: Callable[[], object] = lambda: None,
) -> None:
    """Accept the socket and open a shell for it, until either ends. `typed` is called at each key.

    `open_it` gets columns and rows. Meanwhile the socket is in `sockets`, with what ends this: also while the
    shell starts, as the seat may be lost then.
    """
    over = sockets[socket] = asyncio.Event()
    try:
        await _attend_until(over, socket, open_it, typed)
    finally:
        sockets.pop(socket)
        with suppress(RuntimeError, WebSocketDisconnect):
            await socket.close()


async def _attend_until(
    over: asyncio.Event,
    socket: WebSocket,
    open_it: Callable[[int, int], SubscriberTerminal],
    typed: Callable[[], object],
) -> None:
    await socket.accept()
    columns, rows = (
        _number(socket.query_params.get(name), usual) for name, usual in (("cols", 80), ("rows", 24))
    )
    try:
        shell = await asyncio.to_thread(open_it, columns, rows)
    except TestbedError as error:
        await socket.close(FULL, str(error)[:120])
        return
    work = (_typed(socket, shell, typed), _shown(socket, shell), over.wait())
    ends = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in ends:
            task.cancel()
        came = await asyncio.gather(*ends, return_exceptions=True)
        await asyncio.to_thread(shell.close)
    for failure in came:
        if isinstance(failure, Exception):
            raise failure


def _number(text: str | None, usual: int) -> int:
    return int(text) if text and text.isdigit() and len(text) < 5 else usual


async def _typed(socket: WebSocket, shell: SubscriberTerminal, typed: Callable[[], object]) -> None:
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return
        if data := message.get("bytes"):
            typed()
            shell.write(data)
        elif text := message.get("text"):
            with suppress(ValueError, TypeError, KeyError):
                columns, rows = json_value(text)["resize"]
                resize(shell.master, int(columns), int(rows))


async def _shown(socket: WebSocket, shell: SubscriberTerminal) -> None:
    """The page's own pace: the shell waits while a slow one has not taken what it wrote."""
    with suppress(WebSocketDisconnect, RuntimeError):
        while data := await shell.read():
            await socket.send_bytes(data)
