"""The garbage collector's pace for a process that serves.

Python's own pace looks for cycles after every 700 new containers, and a request makes thousands. Almost all of them
go by reference counting. Looking more rarely finds what remains a little later, and saves about a quarter of
the processor's time under load (bench/README.md).
"""

import gc

_NEW_CONTAINERS, _YOUNG, _MIDDLE = 50_000, 20, 50


def rest() -> None:
    """Do not look at all while modules load: nothing they make is garbage, and a start is a fifth quicker."""
    gc.disable()


def calm() -> None:
    """Look for cycles more rarely, and no longer among what the process was started with."""
    gc.freeze()
    gc.enable()
    gc.set_threshold(_NEW_CONTAINERS, _YOUNG, _MIDDLE)
