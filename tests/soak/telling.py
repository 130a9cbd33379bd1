"""How a long run says what it saw."""

import sys
from collections.abc import Sequence


class Tally:
    """Prints a line for each figure, and remembers whether all were reached."""

    def __init__(self) -> None:
        self.has_failed = False

    def tell(self, promise: str, figure: str, *, is_kept: bool | None = None) -> None:
        """`is_kept` is None for a figure that nothing is promised about."""
        word = {None: "    ", True: "ok  ", False: "NOT "}[is_kept]
        print(f"{word}{promise:<4} {figure}", flush=True)
        self.has_failed |= is_kept is False


def progress(text: str) -> None:
    """What is going on, for who watches; not part of the figures."""
    print(f"       {text}", file=sys.stderr, flush=True)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
