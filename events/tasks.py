"""Work in the background that goes on whatever happens, until it is stopped."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_log = logging.getLogger(__name__)


async def stop(*tasks: asyncio.Task[None]) -> None:
    """Cancel and wait. Asks again while a task goes on: Python 3.11's `wait_for` loses a cancellation that meets a
    result, and libraries use it.
    """
    while going_on := [task for task in tasks if not task.done()]:
        for task in going_on:
            task.cancel()
        await asyncio.wait(going_on, timeout=0.1)


async def persist(name: str, attempt: Callable[[Callable[[], None]], Awaitable[None]]) -> None:
    """Do it again whenever it ends, with growing pauses. `attempt` calls what it is given once all is well.

    The log tells when it breaks and when it works again; never what the server said, nor its address.
    """
    pause, is_broken = _FIRST_PAUSE, False

    def works() -> None:
        nonlocal pause, is_broken
        if is_broken:
            _log.info("%s works again.", name)
        pause, is_broken = _FIRST_PAUSE, False

    while True:
        try:
            await attempt(works)
        except Exception as error:  # noqa: BLE001 - whatever happened, the answer is to try again
            if not is_broken:
                _log.warning("%s failed (%s). Subscribers hear by polling meanwhile.", name, _kind(error))
                is_broken = True
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, hides nothing
        pause = min(pause * 2, _LONGEST_PAUSE)


def _kind(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return type(error).__name__
