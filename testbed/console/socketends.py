"""What ends the work for a page: the page is gone, or the work is stopped, or it has failed."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect


async def until_gone(socket: WebSocket) -> None:
    """Wait for the page's end. Whatever it says before means nothing."""
    with suppress(WebSocketDisconnect, RuntimeError):
        while (await socket.receive())["type"] != "websocket.disconnect":
            pass


async def stopped(task: "asyncio.Task[Any]") -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def started(work: Coroutine[Any, Any, Any], broken: Callable[[], object]) -> "asyncio.Task[Any]":
    """Start work that lasts as long as its server. If it fails, `broken` MUST end that, and `stopped` raises.

    A server that went on without it would show what is no longer so.
    """

    def look(task: "asyncio.Task[Any]") -> None:
        if not task.cancelled() and task.exception() is not None:
            broken()

    task = asyncio.create_task(work)
    task.add_done_callback(look)
    return task
