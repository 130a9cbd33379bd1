"""Trying an integration's actions against its sandbox, through real sockets and the real way out.

async with trial("github", sandbox(), {"token": TOKEN}) as github:
    issue = await github.run("create_issue", owner="lin-harbour", repo="lighthouse", title="Fog")
"""

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from starlette.types import ASGIApp

from adapters._kit.catalogue import load_one
from adapters._kit.egress import Egress
from adapters._kit.http import HttpTransport, Incoming, Outgoing, Transport
from adapters._kit.integration import Override, credential_from_fields
from domain.catalogue import AuthScheme, CallSetting, Credential, Integration
from domain.secrets import Secret
from tests.support.serving import serving

PATIENCE_SECONDS = 20


@dataclass
class Recording:
    """A way out that remembers what went through it. `before` is awaited ahead of each request."""

    way_out: Transport
    requests: list[Outgoing] = field(default_factory=list)
    before: Callable[[Outgoing], Awaitable[None]] | None = None

    async def send(self, request: Outgoing, *, total_seconds: float | None = None) -> Incoming:
        self.requests.append(request)
        if self.before is not None:
            await self.before(request)
        return await self.way_out.send(request, total_seconds=total_seconds)


@dataclass
class Trial:
    """An integration with one connected sandbox account. `requests` are all that were sent."""

    integration: Integration
    base_url: str
    credential: Credential
    recording: Recording

    @property
    def requests(self) -> list[Outgoing]:
        return self.recording.requests

    def setting(self) -> CallSetting:
        """What a run needs, fresh."""
        deadline_at = datetime.now(UTC) + timedelta(seconds=PATIENCE_SECONDS)
        return CallSetting(self.credential, None, is_sandbox=True, key=uuid4(), deadline_at=deadline_at)

    async def run(self, action: str, **parameters: Any) -> Any:
        """Check the parameters and run the action, as an execution does. Raises ProviderProblem."""
        chosen = self.integration.actions[f"{self.integration.slug}.{action}"]
        assert chosen.check(parameters) == ()
        result = await self.integration.run(chosen, parameters, self.setting())
        json.dumps(result)
        return result

    async def misbehave(self, kind: str, match: str = "*", **more: Any) -> None:
        """Ask the sandbox for a fault; see `adapters._kit.sandbox.Fault`."""
        body = json.dumps({"kind": kind, "match": match, **more}).encode()
        headers = {"content-type": "application/json"}
        asked = Outgoing("POST", f"{self.base_url}/_sandbox/faults", headers, body)
        assert (await self.recording.way_out.send(asked)).status == 201

    async def effects(self) -> Mapping[str, int]:
        """How often each writing route of the sandbox was performed."""
        answer = await self.recording.way_out.send(Outgoing("GET", f"{self.base_url}/_sandbox/effects", {}))
        effects: Mapping[str, int] = json.loads(answer.body)["effects"]
        return effects


@contextlib.asynccontextmanager
async def trial(slug: str, sandbox: ASGIApp, fields: Mapping[str, str], *, token: str = "") -> AsyncIterator[Trial]:
    """Serve the sandbox and connect to it with what a person would paste, or with an OAuth access token."""
    async with serving(sandbox) as base_url:
        egress = Egress.allowing(sockets=[urlsplit(base_url).netloc], http=True)
        async with HttpTransport(egress, version="tests") as transport:
            recording = Recording(transport)
            integration = load_one(slug, recording, Override(), base_url)
            if token:
                credential = Credential(AuthScheme.OAUTH2, {"access_token": Secret(token)}, {})
            else:
                assert integration.check_credentials(fields) == ()
                credential = credential_from_fields(fields)
            yield Trial(integration, base_url, credential, recording)
