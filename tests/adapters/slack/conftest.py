from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from adapters._kit.http import Incoming, Outgoing, Transport
from adapters.slack.sandbox import sandbox
from adapters.slack.sandbox_state import TOKEN_BOT, TOKEN_USER
from tests.adapters.slack.test_description import DESCRIPTION
from tests.support.trials import Trial, trial

FIELDS = {"token": TOKEN_BOT, "user_token": TOKEN_USER}


class Held:
    """A way out that holds what is said against Slack's own description: every request, and every yes."""

    def __init__(self, way_out: Transport, base_url: str) -> None:
        self._way_out = way_out
        self._base_url = base_url + "/api"
        self.mistakes: list[str] = []

    async def send(self, request: Outgoing, *, total_seconds: float | None = None) -> Incoming:
        incoming = await self._way_out.send(request, total_seconds=total_seconds)
        if urlsplit(request.url).path.startswith("/api/"):
            asked = self._as_described(request)
            self.mistakes += DESCRIPTION.mistakes(asked, self._base_url)
            if b'"ok":true' in incoming.body:
                self.mistakes += DESCRIPTION.answer_mistakes(asked, incoming, self._base_url)
        return incoming

    def _as_described(self, request: Outgoing) -> Outgoing:
        """Reading methods are described as GET with a query."""
        if f"POST {request.url.removeprefix(self._base_url)}" in DESCRIPTION.routes():
            return request
        query = f"?{request.body.decode()}" if request.body else ""
        return replace(request, method="GET", url=request.url + query, body=None)


@pytest.fixture
async def workspace() -> AsyncIterator[Trial]:
    """Harbour Works' sandbox, with the app's and Lin Harbour's token, held against Slack's own description."""
    async with trial("slack", sandbox(), FIELDS) as trying:
        held = Held(trying.recording.way_out, trying.base_url)
        trying.recording.way_out = held
        yield trying
        assert held.mistakes == []
