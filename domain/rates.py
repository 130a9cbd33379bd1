"""How fast things may go: so many a minute, some of them at once."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Rate:
    """One turn every `every` seconds at rest; `burst` turns may be taken at once, by who has rested."""

    every: float
    burst: int

    @property
    def ahead(self) -> float:
        """How many seconds' worth may be taken before its time."""
        return self.every * (self.burst - 1)


def per_minute(many: int, burst_seconds: int = 10) -> Rate:
    """So many a minute, and as many at once as fall into `burst_seconds`."""
    return Rate(60 / many, max(many * burst_seconds // 60, 1))


@dataclass(frozen=True, slots=True)
class Limits:
    """What each thing of a tenant may do. None: as fast as it can."""

    tenant: Rate | None = None
    agent: Rate | None = None
    connection: Rate | None = None
    integration: Rate | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """A request for one turn of each of several limits, by name, within one tenant."""

    tenant: str
    rates: tuple[tuple[str, Rate], ...]


@dataclass(frozen=True, slots=True)
class NotYet:
    """The limit that is in the way, and the moment from which it is not."""

    name: str
    free_at: datetime
