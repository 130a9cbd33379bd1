"""Usage: how much was executed, and how it ended, counted from history.

An execution counts where its end stands in history, as it ended; what was refused counts where it was refused. Both
are lines that never change, so a past bucket never changes either: settling an UNKNOWN execution later does not
rewrite the day on which nobody knew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from domain.errors import InvalidInput

#: The lines of history that are counted. The index `history_ends` holds exactly these.
COUNTED = (
    "execution.succeeded",
    "execution.failed",
    "execution.unknown",
    "execution.cancelled",
    "execution.expired",
    "execution.refused",
)


class UsageInterval(StrEnum):
    """How long a bucket is. Both begin on the clock of UTC."""

    HOUR = "HOUR"
    DAY = "DAY"


class UsageDimension(StrEnum):
    """By what usage is broken down."""

    INTEGRATION = "INTEGRATION"
    ACTION = "ACTION"
    AGENT = "AGENT"
    CONNECTION = "CONNECTION"


LENGTHS: Mapping[UsageInterval, timedelta] = {
    UsageInterval.HOUR: timedelta(hours=1),
    UsageInterval.DAY: timedelta(days=1),
}
#: What a question may span: a month of hours, a year of days.
LONGEST: Mapping[UsageInterval, timedelta] = {
    UsageInterval.HOUR: timedelta(days=31),
    UsageInterval.DAY: timedelta(days=366),
}


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts, and how long what ran took. `executions` holds the other four, and what was cancelled or expired."""

    executions: int = 0
    succeeded: int = 0
    failed: int = 0
    unknown: int = 0
    refused: int = 0
    p50_ms: int | None = None
    p95_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Bucket:
    """One hour or day."""

    start: datetime
    tally: Tally


@dataclass(frozen=True, slots=True)
class Share:
    """What belongs to one integration, action, agent or connection; `key` is None for what belongs to none."""

    key: str | None
    name: str | None
    tally: Tally


@dataclass(frozen=True, slots=True)
class Span:
    """From `since` on, before `until`, both in UTC."""

    since: datetime
    until: datetime


def span(since: datetime, until: datetime, longest: timedelta) -> Span:
    """Raises InvalidInput when it is empty, or longer than is counted at once."""
    if until <= since:
        raise InvalidInput("`until` must come after `since`.", ("until",))
    if until - since > longest:
        raise InvalidInput(f"At most {longest.days} days are counted at once.", ("since",))
    return Span(since, until)


def buckets(of: Span, interval: UsageInterval, found: Mapping[datetime, Tally]) -> list[Bucket]:
    """Every bucket that the span touches, oldest first; those in which nothing happened too."""
    length = LENGTHS[interval]
    start = of.since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if interval is UsageInterval.DAY:
        start = start.replace(hour=0)
    starts = []
    while start < of.until:
        starts.append(start)
        start += length
    return [Bucket(each, found.get(each, Tally())) for each in starts]
