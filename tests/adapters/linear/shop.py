"""The Linear integration before its sandbox; every document that is sent is held against the outline of the schema."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from graphql import parse, validate

from adapters._kit.http import Incoming, Outgoing, Transport
from adapters.linear.sandbox import sandbox
from adapters.linear.sandbox_api import schema
from adapters.linear.sandbox_state import TOKEN
from tests.support.trials import Trial, trial

NOON = 1_796_040_000.0  # 2026-11-30 12:00 UTC


@dataclass
class Held:
    """A way out that notes documents which are not of the schema, or that take other variables than are sent."""

    way_out: Transport
    mistakes: list[str] = field(default_factory=list)
    status_seen: list[int] = field(default_factory=list)

    async def send(self, request: Outgoing, *, total_seconds: float | None = None) -> Incoming:
        if request.url.endswith("/graphql"):
            self.mistakes += document_mistakes(json.loads(request.body or b"{}"))
        incoming = await self.way_out.send(request, total_seconds=total_seconds)
        self.status_seen.append(incoming.status)
        return incoming


def document_mistakes(sent: dict[str, object]) -> Sequence[str]:
    """What graphql-core finds wrong with a request."""
    document = parse(str(sent["query"]))
    return [error.message for error in validate(schema(), document)]


@asynccontextmanager
async def practice(
    key: str = TOKEN, *, state_file: Path | None = None, per_hour: int = 5000, now: Callable[[], float] = lambda: NOON
) -> AsyncIterator[Trial]:
    """A new sandbox, connected as Lin Harbour."""
    async with trial("linear", sandbox(state_file, per_hour=per_hour, now=now), {"key": key}) as linear:
        held = Held(linear.recording.way_out)
        linear.recording.way_out = held
        yield linear
        assert held.mistakes == []
