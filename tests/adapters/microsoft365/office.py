"""An account of the sandbox, connected by OAuth as Microsoft does it; every message is held against the description."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from adapters._kit.action import ActionDefinition
from adapters._kit.catalogue import manifest_of
from adapters._kit.egress import Egress
from adapters._kit.http import CannedTransport, HttpTransport, Incoming, NotSent, Outgoing, Transport
from adapters._kit.integration import FolderIntegration, Override
from adapters._kit.sandbox import SandboxApp
from adapters.microsoft365 import actions
from adapters.microsoft365.sandbox_seed import ADA
from adapters.microsoft365.sandbox_state import TOKEN_ADA
from domain.catalogue import Account, AuthScheme, CallSetting, Credential
from domain.json import Json
from domain.secrets import Secret
from tests.support.descriptions import Shape
from tests.support.overheard import Connected, Overheard, TwoSided
from tests.support.serving import serving
from tests.support.trials import Recording

HANDED_OUT = "/handed-out/"


class Graph(TwoSided):
    """Uploads are bytes of any kind, and what is handed out is no route of Graph but must carry nothing of ours."""

    def mistakes(self, outgoing: Outgoing, base_url: str) -> list[str]:
        if HANDED_OUT in outgoing.url:
            return [f"{name} went along" for name in outgoing.headers]
        return super().mistakes(outgoing, base_url)

    def answer_mistakes(self, outgoing: Outgoing, incoming: Incoming, base_url: str) -> list[str]:
        return [] if HANDED_OUT in outgoing.url else super().answer_mistakes(outgoing, incoming, base_url)

    def _body_mistakes(self, outgoing: Outgoing, operation: Shape, parameters: Any) -> Iterator[str]:
        return iter(()) if outgoing.method == "PUT" else super()._body_mistakes(outgoing, operation, parameters)


MANIFEST = manifest_of("microsoft365")
DESCRIPTION = Graph.read(Path(__file__).with_name("description.json"))


def integration_on(transport: Transport, sandbox_url: str | None = None, **override: Any) -> FolderIntegration:
    """The integration alone, without the rest of the catalogue."""
    definitions = [each for each in vars(actions).values() if isinstance(each, ActionDefinition)]
    return FolderIntegration(MANIFEST, definitions, transport, Override(**override), sandbox_url)


OFFLINE = integration_on(CannedTransport(lambda _: NotSent("connect_failed")))


def mistakes(name: str, /, **parameters: Json) -> list[str]:
    """Where the parameters of an action are wrong, as pointers."""
    return [each.pointer for each in OFFLINE.actions[f"microsoft365.{name}"].check(parameters)]


def setting_of(token: str, account: Account | None = None, *, is_sandbox: bool = True) -> CallSetting:
    """A run with an access token."""
    credential = Credential(AuthScheme.OAUTH2, {"access_token": Secret(token)}, {})
    deadline = datetime.now(UTC) + timedelta(seconds=30)
    return CallSetting(credential, account, is_sandbox=is_sandbox, key=uuid4(), deadline_at=deadline)


@dataclass
class Office(Connected):
    """A connected account of the sandbox."""

    token: str = TOKEN_ADA
    requests: list[Outgoing] = field(default_factory=list)  # with those whose answer was lost

    def setting(self) -> CallSetting:
        made = setting_of(self.token, self.account)
        return made if self.key is None else CallSetting(**{**_members(made), "key": self.key})

    async def row(self, name: str, /, **parameters: Any) -> Any:
        """The one thing an action answers."""
        return await super().row(name, **parameters)

    async def rows(self, name: str, /, **parameters: Any) -> Any:
        """The things an action answers."""
        return await super().rows(name, **parameters)

    def paths(self) -> list[str]:
        """Where requests went, in order, as `GET /me`."""
        found = [(each.method, urlsplit(each.url)) for each in self.requests]
        return [f"{method} {unquote(place.path).removeprefix('/v1.0')}" for method, place in found]

    def as_somebody_else(self, token: str) -> "Office":
        """The same sandbox, by another token."""
        return Office(self.app, self.integration, self.transport, {}, self.account, None, token, self.requests)

    def bodies(self, path: str) -> list[Any]:
        """The bodies sent to a path, with those whose answer was lost."""
        sent = [each for each in self.requests if urlsplit(each.url).path.endswith(path)]
        return [json.loads(each.body) for each in sent if each.body is not None]


def _members(setting: CallSetting) -> dict[str, Any]:
    return {name: getattr(setting, name) for name in ("credential", "account", "is_sandbox", "deadline_at")}


@asynccontextmanager
async def office(app: SandboxApp, token: str = TOKEN_ADA) -> AsyncIterator[Office]:
    """Serve the sandbox on a loopback port. At the end, everything that was said must have been as described."""
    egress = Egress.allowing(networks=["127.0.0.0/8"], http=True)
    async with serving(app) as address, HttpTransport(egress, version="0") as real:
        overheard = Overheard(recording := Recording(real), f"{address}/v1.0", DESCRIPTION)
        account = Account(ADA.id, ADA.mail)
        integration = integration_on(overheard, address)
        yield Office(app, integration, overheard, {}, account, None, token, recording.requests)
        assert overheard.mistakes == [], overheard.mistakes
