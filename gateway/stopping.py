"""Hearing that the process is to stop, before the server has seen its last request through.

A server that is told to stop goes on serving what is under way, for as long as half a minute. Meanwhile nothing more is
to be begun that nobody waits for.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def heard(told: Callable[[], None]) -> Iterator[None]:
    """`told` is called when the process is told to stop, ahead of whoever listened before. Only signals tell, and those
    are heard in the main thread only; elsewhere nothing happens.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}

    def hear(number: int, frame: FrameType | None) -> None:
        told()
        following = before[signal.Signals(number)]
        if callable(following):
            following(number, frame)

    # Where nobody listens the process ends at once, as it should.
    mine = [each for each, handler in before.items() if callable(handler)]
    for each in mine:
        signal.signal(each, hear)
    try:
        yield
    finally:
        for each in mine:
            if signal.getsignal(each) is hear:
                signal.signal(each, before[each])
