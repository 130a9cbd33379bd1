"""What the sandboxes of registrars have in common: a clock, a file, and names that somebody else has already."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from pydantic import BaseModel

from adapters._kit.sandbox import SandboxControl, StateFile

_YEAR_SECONDS = 365 * 86_400

W = TypeVar("W", bound=BaseModel)


@dataclass
class Practice(Generic[W]):
    """A running sandbox: the world, its file, its clock (epoch seconds)."""

    world: W
    file: StateFile[W]
    now: Callable[[], float]
    control: SandboxControl

    def stamp(self, years: int = 0) -> str:
        """Now, or so many years from now, as all three APIs write it."""
        return datetime.fromtimestamp(self.now() + years * _YEAR_SECONDS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def performed(self, route: str) -> None:
        """A write has happened: count it and keep it."""
        self.control.effects[route] += 1
        self.file.save(self.world)


def belongs_to_others(name: str) -> bool:
    """Whether somebody outside has the domain: about one name in four, always the same ones."""
    return hashlib.sha256(name.encode()).digest()[0] % 4 == 0 or name.startswith("example.")
