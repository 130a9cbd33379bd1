from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from adapters._kit.http import Incoming, Outgoing, Transport
from adapters._kit.sandbox_google import TOKEN_MARA
from adapters.google_analytics.sandbox import sandbox
from tests.support.overheard import TwoSided
from tests.support.trials import Trial, trial

DESCRIPTION = TwoSided.read(Path(__file__).with_name("description.json"))
HOSTS = ("/analyticsadmin", "/analyticsdata")
NOON = 1_796_040_000.0  # 2026-11-30 12:00 UTC


@dataclass
class Overhearing:
    """Passes everything on, and notes what is not as Google describes it."""

    way_out: Transport
    base_url: str
    mistakes: list[str] = field(default_factory=list)

    async def send(self, request: Outgoing, *, total_seconds: float | None = None) -> Incoming:
        incoming = await self.way_out.send(request, total_seconds=total_seconds)
        for host in HOSTS:
            # What a fault makes of an answer is nobody's description.
            if request.url.startswith(f"{self.base_url}{host}/") and not incoming.body.startswith(b"\x00"):
                self.mistakes += DESCRIPTION.mistakes(request, self.base_url + host)
                self.mistakes += DESCRIPTION.answer_mistakes(request, incoming, self.base_url + host)
        return incoming


@asynccontextmanager
async def practice(
    token: str = TOKEN_MARA, *, now: Callable[[], float] = lambda: NOON, rate_limit: int = 600
) -> AsyncIterator[Trial]:
    """A new sandbox, connected. What both sides say is held against Google's own description."""
    async with trial("google_analytics", sandbox(now=now, rate_limit=rate_limit), {}, token=token) as found:
        heard = Overhearing(found.recording.way_out, found.base_url)
        found.recording.way_out = heard
        yield found
        assert heard.mistakes == []


@pytest.fixture
async def analytics() -> AsyncIterator[Trial]:
    """Mara's account."""
    async with practice() as found:
        yield found
