"""The Vercel integration before its sandbox."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from adapters._kit.catalogue import load
from adapters._kit.http import CannedTransport, Incoming, NotSent, Outgoing
from adapters.vercel.sandbox import sandbox
from adapters.vercel.sandbox_state import TEAM, TOKEN
from domain.catalogue import Account, AuthScheme, CallSetting, Credential
from domain.secrets import Secret
from tests.support.descriptions import Shape
from tests.support.overheard import Connected, TwoSided, connected

STREAM = "application/stream+json"


class Described(TwoSided):
    """Vercel's description, with two things JSON does not know: bytes that are uploaded, and lines that go on."""

    def _body_mistakes(self, outgoing: Outgoing, operation: Shape, parameters: Any) -> Any:
        kind = outgoing.headers.get("content-type")
        if kind == "application/octet-stream" and kind in operation["requestBody"]["content"]:
            return iter([] if len(outgoing.headers.get("x-vercel-digest", "")) == 40 else ["the digest is missing"])
        return super()._body_mistakes(outgoing, operation, parameters)

    def _body_of(self, incoming: Incoming, described: Any, where: str) -> list[str]:
        content = self._shape(described or {}).get("content", {})
        if incoming.status != 200 or STREAM not in content or "application/json" in content:
            return super()._body_of(incoming, self._shape(described) if described else None, where)
        lines = [json.loads(line) for line in incoming.body.splitlines()]
        return [wrong for line in lines for wrong in self._schema_mistakes(line, content[STREAM]["schema"], where)]


OFFLINE = load(CannedTransport(lambda _: NotSent("connect_failed")), {}, {}).integrations["vercel"]


def mistakes(name: str, /, **parameters: Any) -> list[str]:
    """Where the parameters of an action are wrong, as pointers. No service is needed for that."""
    return [each.pointer for each in OFFLINE.actions[f"vercel.{name}"].check(parameters)]


DESCRIPTION = Described.read(Path(__file__).with_name("description.json"))


@dataclass
class Clock:
    """Stands still until it is moved, or goes on by a step whenever somebody looks. Epoch seconds."""

    time: float = 1_800_000_000.0
    step: float = 0

    def __call__(self) -> float:
        self.time += self.step
        return self.time


@dataclass
class Shop:
    """A sandbox with its clock, and the integration in front of it."""

    front: Connected
    clock: Clock

    def as_installed(self, token: str, facts: Mapping[str, str]) -> CallSetting:
        """A run with an OAuth token, and what came with it."""
        credential = Credential(AuthScheme.OAUTH2, {"access_token": Secret(token)}, facts)
        deadline = datetime.now(UTC) + timedelta(seconds=30)
        return CallSetting(credential, None, is_sandbox=True, key=uuid4(), deadline_at=deadline)

    def built(self) -> None:
        """Time passes: every build ends."""
        self.clock.time += 60


@asynccontextmanager
async def open_shop(
    *, token: str = TOKEN, team: str | None = TEAM, listening_seconds: float = 0, rate_limit: int = 600
) -> AsyncIterator[Shop]:
    """A new sandbox, connected as a team, or as a person when there is no team."""
    clock = Clock()
    app = sandbox(now=clock, listening_seconds=listening_seconds, rate_limit=rate_limit)
    fields = {"token": token, **({"team_id": team} if team else {})}
    account = Account(team or "usr_sandbox_lin", "Harbour Works")
    async with connected("vercel", app, DESCRIPTION, fields, account) as front:
        yield Shop(front, clock)
