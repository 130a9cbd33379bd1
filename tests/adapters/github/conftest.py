from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from adapters._kit.http import Incoming, Outgoing, Transport
from adapters.github.sandbox import sandbox
from adapters.github.sandbox_state import TOKEN_EVERYTHING, TOKEN_REPO
from tests.support.overheard import TwoSided
from tests.support.trials import Trial, trial

DESCRIPTION = TwoSided.read(Path(__file__).with_name("description.json"))


class Held:
    """A way out that holds every yes of the sandbox against GitHub's own description, and notes what is otherwise."""

    def __init__(self, way_out: Transport, base_url: str) -> None:
        self._way_out = way_out
        self._base_url = base_url
        self.mistakes: list[str] = []

    async def send(self, request: Outgoing, *, total_seconds: float | None = None) -> Incoming:
        incoming = await self._way_out.send(request, total_seconds=total_seconds)
        path = urlsplit(request.url.removeprefix(self._base_url)).path
        is_garbage = incoming.body.startswith(b"\0")  # asked for by the test
        if incoming.status < 400 and not is_garbage and not path.startswith("/_"):  # `/_`: controls, logs handed out
            self.mistakes += DESCRIPTION.answer_mistakes(request, incoming, self._base_url)
        return incoming


async def _held(token: str) -> AsyncIterator[Trial]:
    async with trial("github", sandbox(), {"token": token}) as github:
        held = Held(github.recording.way_out, github.base_url)
        github.recording.way_out = held
        yield github
        for request in github.requests:
            if "/_logs/" not in request.url:
                assert DESCRIPTION.mistakes(request, github.base_url) == []
        assert held.mistakes == []


@pytest.fixture
async def github() -> AsyncIterator[Trial]:
    """Lin Harbour's sandbox account. What is sent and what is answered is held against GitHub's own description."""
    async for trying in _held(TOKEN_REPO):
        yield trying


@pytest.fixture
async def owner() -> AsyncIterator[Trial]:
    """The same person with a token that carries every scope."""
    async for trying in _held(TOKEN_EVERYTHING):
        yield trying
