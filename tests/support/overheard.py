"""An API-key integration before its sandbox, over real HTTP, every message held against the service's description."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

from adapters._kit.catalogue import load, manifest_of
from adapters._kit.egress import Egress
from adapters._kit.http import HttpTransport, Incoming, Outgoing, Transport
from adapters._kit.integration import credential_from_fields
from adapters._kit.sandbox import Fault, SandboxApp
from domain.catalogue import Account, CallSetting, Identity, Integration
from domain.json import Json
from tests.support.descriptions import Description
from tests.support.serving import serving


class TwoSided(Description):
    """A description that is held against answers as well; `default` describes those that are not listed."""

    def answer_mistakes(self, outgoing: Outgoing, incoming: Incoming, base_url: str) -> list[str]:
        """What in the answer is not as described, in words."""
        found = self._route(outgoing.method.lower(), urlsplit(outgoing.url.removeprefix(base_url)).path)
        if found is None:
            return ["there is no such route"]
        where = f"{incoming.status} of {outgoing.method} {found[0]}"
        responses = found[2]["responses"]
        described, refusal = responses.get(str(incoming.status)), responses.get("default")
        if described is None and incoming.status < 400:
            return [f"{where} is not described"]
        mistakes = self._body_of(incoming, refusal if described is None else described, where)
        # Some services refuse with any status.
        return [] if mistakes and refusal and not self._body_of(incoming, refusal, where) else mistakes

    def _body_of(self, incoming: Incoming, described: Any, where: str) -> list[str]:
        schema = (described or {}).get("content", {}).get("application/json", {}).get("schema")
        if schema is None:
            return [f"{where}: a body where none is described"] if incoming.body else []
        return (
            self._schema_mistakes(json.loads(incoming.body), schema, where) if incoming.body else [f"{where} is empty"]
        )


@dataclass
class Overheard:
    """A transport that passes everything on, remembers it, and notes what is not as described."""

    transport: Transport
    base_url: str
    description: TwoSided
    heard: list[tuple[Outgoing, Incoming]] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)

    async def send(self, request: Outgoing, *, total_seconds: float | None = None) -> Incoming:
        """See Transport."""
        self.mistakes += self.description.mistakes(request, self.base_url)
        incoming = await self.transport.send(request, total_seconds=total_seconds)
        self.mistakes += self.description.answer_mistakes(request, incoming, self.base_url)
        self.heard.append((request, incoming))
        return incoming


@dataclass
class Connected:
    """One sandbox and the integration in front of it, with one connected account.

    Each run has a key of its own, unless `key` says that they are attempts of one execution.
    """

    app: SandboxApp
    integration: Integration
    transport: Overheard
    fields: Mapping[str, str]
    account: Account | None = None
    key: UUID | None = None

    async def run(self, name: str, /, **parameters: Json) -> Json:
        """Run an action as a checked execution would."""
        action = self.integration.actions[f"{self.integration.slug}.{name}"]
        assert action.check(parameters) == ()
        return await self.integration.run(action, parameters, self.setting())

    async def row(self, name: str, /, **parameters: Json) -> dict[str, Json]:
        """The one thing an action answers."""
        found = await self.run(name, **parameters)
        assert isinstance(found, dict)
        return found

    async def rows(self, name: str, /, **parameters: Json) -> list[dict[str, Json]]:
        """The things an action answers."""
        found = await self.run(name, **parameters)
        assert isinstance(found, list)
        return found

    async def identify(self) -> Identity:
        """Test the credential, and be the account from then on."""
        identity = await self.integration.identify(self.setting())
        self.account = identity.account
        return identity

    def mistakes(self, name: str, /, **parameters: Json) -> list[str]:
        """Where the parameters are wrong, as pointers. Nothing is sent."""
        found = self.integration.actions[f"{self.integration.slug}.{name}"].check(parameters)
        return [each.pointer for each in found]

    def misbehave(self, kind: str, match: str = "*", **more: Any) -> None:
        """The sandbox's next matching answer."""
        self.app.control.faults.waiting.append(Fault.model_validate({"kind": kind, "match": match, **more}))

    def asked(self, path: str = "", *, writes: bool = False) -> list[str]:
        """The methods of the requests whose path ends like this, in order."""
        heard = [each for each, _ in self.transport.heard if urlsplit(each.url).path.endswith(path)]
        return [each.method for each in heard if not writes or each.method != "GET"]

    def headers(self, path: str, name: str) -> list[str | None]:
        """One header of the requests to a path."""
        heard = [each for each, _ in self.transport.heard if urlsplit(each.url).path.endswith(path)]
        return [each.headers.get(name) for each in heard]

    def queries(self, path: str) -> list[dict[str, list[str]]]:
        """What the requests to a path asked for."""
        found = [urlsplit(each.url) for each, _ in self.transport.heard]
        return [parse_qs(each.query) for each in found if each.path.endswith(path)]

    def bodies(self, path: str) -> list[Any]:
        """The bodies sent to a path."""
        heard = [each for each, _ in self.transport.heard if urlsplit(each.url).path.endswith(path)]
        return [json.loads(each.body) for each in heard if each.body is not None]

    def setting(self) -> CallSetting:
        """What a run needs, fresh."""
        credential = credential_from_fields(self.fields)
        deadline = datetime.now(UTC) + timedelta(seconds=30)
        return CallSetting(credential, self.account, is_sandbox=True, key=self.key or uuid4(), deadline_at=deadline)


@asynccontextmanager
async def connected(
    slug: str, app: SandboxApp, description: TwoSided, fields: Mapping[str, str], account: Account
) -> AsyncIterator[Connected]:
    """Serve the sandbox on a loopback port. At the end, everything that was said must have been as described."""
    box = manifest_of(slug).sandbox
    assert box is not None
    egress = Egress.allowing(networks=["127.0.0.0/8"], http=True)
    async with serving(app) as address, HttpTransport(egress, version="0") as real:
        overheard = Overheard(real, address + box.api, description)
        integration = load(overheard, {}, {slug: address}).integrations[slug]
        yield Connected(app, integration, overheard, fields, account)
        assert overheard.mistakes == []
