"""Figures about use."""

from datetime import datetime

import strawberry

from domain import usage as domain
from resolvers.usage import LabelledShare

_COUNTS = "How many ended in this time, however they ended, and how many were refused."


@strawberry.type(description="What ended in one hour or day. It never changes once that is over.")
class UsageBucket:
    """From history."""

    start: datetime = strawberry.field(description="When it begins, in UTC.")
    executions: int = strawberry.field(description=_COUNTS)
    succeeded: int = strawberry.field(description="Those that succeeded.")
    failed: int = strawberry.field(description="Those that failed: it did not happen.")
    unknown: int = strawberry.field(
        description="Those that may have happened; settling one later changes nothing here."
    )
    refused: int = strawberry.field(description="Those that were not admitted.")
    p50_ms: int | None = strawberry.field(description="Half of those that ran took no longer, in milliseconds.")
    p95_ms: int | None = strawberry.field(description="95 % of those that ran took no longer, in milliseconds.")

    @classmethod
    def of(cls, noun: domain.Bucket) -> "UsageBucket":
        """From the noun."""
        tally = noun.tally
        return cls(
            start=noun.start,
            executions=tally.executions,
            succeeded=tally.succeeded,
            failed=tally.failed,
            unknown=tally.unknown,
            refused=tally.refused,
            p50_ms=tally.p50_ms,
            p95_ms=tally.p95_ms,
        )


@strawberry.type(description="What one service, action, agent or account has of the whole.")
class UsageShare:
    """From history."""

    key: str = strawberry.field(description="Its slug, qualified name or id; empty for what belongs to none.")
    label: str = strawberry.field(description="Its name, for people.")
    executions: int = strawberry.field(description=_COUNTS)
    succeeded: int = strawberry.field(description="Those that succeeded.")
    failed: int = strawberry.field(description="Those that failed: it did not happen.")
    unknown: int = strawberry.field(
        description="Those that may have happened; settling one later changes nothing here."
    )
    refused: int = strawberry.field(description="Those that were not admitted.")
    p95_ms: int | None = strawberry.field(description="95 % of those that ran took no longer, in milliseconds.")

    @classmethod
    def of(cls, noun: LabelledShare) -> "UsageShare":
        """From the noun."""
        tally = noun.tally
        return cls(
            key=noun.key,
            label=noun.label,
            executions=tally.executions,
            succeeded=tally.succeeded,
            failed=tally.failed,
            unknown=tally.unknown,
            refused=tally.refused,
            p95_ms=tally.p95_ms,
        )
