"""Pages of lists: forward from a cursor, newest first unless a list says otherwise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from domain.errors import InvalidInput

Item = TypeVar("Item")

LARGEST_PAGE = 100
USUAL_PAGE = 50


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page. `total` is None where counting would cost too much."""

    items: Sequence[Item]
    has_next: bool
    has_previous: bool
    total: int | None = None


def page_size(first: int | None, *path: str) -> int:
    """50 when nothing is asked for. Raises InvalidInput when `first` is not between 1 and 100."""
    if first is None:
        return USUAL_PAGE
    if 1 <= first <= LARGEST_PAGE:
        return first
    raise InvalidInput(f"`first` is between 1 and {LARGEST_PAGE}.", path or ("first",))
