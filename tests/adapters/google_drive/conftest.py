import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from adapters._kit.http import Incoming, Outgoing, Transport
from adapters._kit.sandbox_google import IDENTITY_SCOPES, TOKEN_MARA, google_people
from adapters._kit.sandbox_oauth import FixedToken
from adapters.google_drive.sandbox import sandbox
from adapters.google_drive.sandbox_state import seeded_world
from tests.support.descriptions import Shape
from tests.support.overheard import TwoSided
from tests.support.trials import Trial, trial

NOON = 1_796_040_000.0  # 2026-11-30 12:00 UTC


class Uploads(TwoSided):
    """Also understands uploads: the first part of a multipart/related body is what is said about the file."""

    def _body_mistakes(self, outgoing: Outgoing, operation: Shape, parameters: Sequence[Shape]) -> Iterator[str]:
        content = operation.get("requestBody", {}).get("content", {})
        kind, _, boundary = outgoing.headers.get("content-type", "").partition("; boundary=")
        if kind == "multipart/related" and kind in content:
            parts = (outgoing.body or b"").split(f"--{boundary}".encode())
            if len(parts) != 4 or parts[3] != b"--\r\n":
                yield "the body has not two parts"
            else:
                told = json.loads(parts[1].partition(b"\r\n\r\n")[2])
                yield from self._schema_mistakes(told, content[kind]["schema"], "body")
        elif "*/*" not in content:
            yield from super()._body_mistakes(outgoing, operation, parameters)


DESCRIPTION = Uploads.read(Path(__file__).with_name("description.json"))


@dataclass
class Overhearing:
    """Passes everything on, and notes what is not as Google describes it."""

    way_out: Transport
    base_url: str
    mistakes: list[str] = field(default_factory=list)

    async def send(self, request: Outgoing, *, total_seconds: float | None = None) -> Incoming:
        incoming = await self.way_out.send(request, total_seconds=total_seconds)
        if "/drive/v3/" in request.url:
            self.mistakes += DESCRIPTION.mistakes(request, self.base_url)
            is_content = incoming.status == 200 and ("alt=media" in request.url or "/export?" in request.url)
            # What a fault makes of an answer is nobody's description.
            if not is_content and not incoming.body.startswith(b"\x00"):
                self.mistakes += DESCRIPTION.answer_mistakes(request, incoming, self.base_url)
        return incoming


@asynccontextmanager
async def practice(
    token: str = TOKEN_MARA, *, state_file: Path | None = None, now: Callable[[], float] = lambda: NOON
) -> AsyncIterator[Trial]:
    """A new sandbox, connected. What both sides say is held against Google's own description."""
    async with trial("google_drive", sandbox(state_file, now=now), {}, token=token) as found:
        heard = Overhearing(found.recording.way_out, found.base_url)
        found.recording.way_out = heard
        yield found
        assert heard.mistakes == []


@asynccontextmanager
async def practice_with(folder: Path, *scopes: str) -> AsyncIterator[Trial]:
    """Mara's account, connected with these scopes only."""
    world = seeded_world()
    token = "ya29.sandbox-of-a-test"
    account = google_people()[0].sub
    world.oauth.fixed_tokens = [FixedToken(token=token, account=account, scopes=[*IDENTITY_SCOPES, *scopes])]
    state = folder / "drive.json"
    state.write_text(world.model_dump_json())
    async with practice(token, state_file=state) as found:
        yield found


@pytest.fixture
async def drive() -> AsyncIterator[Trial]:
    """Mara's account, which may do everything."""
    async with practice() as found:
        yield found
