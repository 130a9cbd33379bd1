"""The name.com integration before its sandbox, over real HTTP, every message held against the description."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from adapters._kit.catalogue import load
from adapters._kit.egress import Egress
from adapters._kit.http import HttpTransport, Incoming, Outgoing, Transport
from adapters._kit.integration import credential_from_fields
from adapters._kit.sandbox import SandboxApp
from adapters.namecom.sandbox import sandbox
from adapters.namecom.sandbox_state import TOKEN, USERNAME
from domain.catalogue import CallSetting, Identity, Integration
from domain.json import Json
from tests.support.descriptions import Description
from tests.support.serving import serving


class TwoSided(Description):
    """A description that is held against answers as well."""

    def answer_mistakes(self, outgoing: Outgoing, incoming: Incoming, base_url: str) -> list[str]:
        """What in the answer is not as described, in words.

        name.com's description leaves refusals out here and there (401 for records, 404 for a domain); those
        must have the shape that its other refusals have.
        """
        found = self._route(outgoing.method.lower(), urlsplit(outgoing.url.removeprefix(base_url)).path)
        if found is None:
            return ["there is no such route"]
        described = found[2]["responses"].get(str(incoming.status))
        if described is None:
            if incoming.status < 400:
                return [f"{incoming.status} is not described"]
            described = self.document["paths"]["/core/v1/domains"]["post"]["responses"]["404"]
        schema = described.get("content", {}).get("application/json", {}).get("schema")
        if schema is None:
            return ["a body where none is described"] if incoming.body else []
        sent: Any = json.loads(incoming.body)
        return self._schema_mistakes(sent, schema, f"{incoming.status} of {outgoing.method} {found[0]}")


DESCRIPTION = TwoSided.read(Path(__file__).with_name("description.json"))


@dataclass
class Overheard:
    """A transport that passes everything on, remembers it, and notes what is not as described."""

    transport: Transport
    base_url: str
    heard: list[tuple[Outgoing, Incoming]] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)

    async def send(self, request: Outgoing, *, total_seconds: float | None = None) -> Incoming:
        """See Transport."""
        self.mistakes += DESCRIPTION.mistakes(request, self.base_url)
        incoming = await self.transport.send(request, total_seconds=total_seconds)
        self.mistakes += DESCRIPTION.answer_mistakes(request, incoming, self.base_url)
        self.heard.append((request, incoming))
        return incoming

    def sent(self, method: str, path: str) -> list[Outgoing]:
        """The requests that went there."""
        return [each for each, _ in self.heard if each.method == method and urlsplit(each.url).path == path]


@dataclass
class Shop:
    """One sandbox and the integration in front of it."""

    app: SandboxApp
    integration: Integration
    transport: Overheard
    username: str = USERNAME
    token: str = TOKEN

    async def run(self, name: str, /, *, key: UUID | None = None, **parameters: Json) -> Json:
        """Run an action as a checked execution would."""
        action = self.integration.actions[f"namecom.{name}"]
        assert action.check(parameters) == ()
        return await self.integration.run(action, parameters, self._setting(key))

    async def row(self, name: str, /, *, key: UUID | None = None, **parameters: Json) -> dict[str, Json]:
        """The one thing an action answers."""
        found = await self.run(name, key=key, **parameters)
        assert isinstance(found, dict)
        return found

    async def rows(self, name: str, /, **parameters: Json) -> list[dict[str, Json]]:
        """The things an action answers."""
        found = await self.run(name, key=None, **parameters)
        assert isinstance(found, list)
        return found

    async def identify(self) -> Identity:
        """Test the credential."""
        return await self.integration.identify(self._setting(None))

    def _setting(self, key: UUID | None) -> CallSetting:
        credential = credential_from_fields({"username": self.username, "token": self.token})
        deadline = datetime.now(UTC) + timedelta(seconds=30)
        return CallSetting(credential, None, is_sandbox=True, key=key or uuid4(), deadline_at=deadline)


@asynccontextmanager
async def open_shop(
    state_file: Path | None = None,
    *,
    per_hour: int = 3000,
    now: Callable[[], float] = lambda: 1_800_000_000.0,
) -> AsyncIterator[Shop]:
    """A new sandbox on a loopback port. At the end, everything that was said must have been as described."""
    app = sandbox(state_file, per_second=10_000, per_hour=per_hour, now=now)
    egress = Egress.allowing(networks=["127.0.0.0/8"], http=True)
    async with serving(app) as address, HttpTransport(egress, version="0") as real:
        overheard = Overheard(real, address)
        yield Shop(app, load(overheard, {}, {"namecom": address}).integrations["namecom"], overheard)
        assert overheard.mistakes == []
