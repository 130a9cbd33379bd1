"""A made-up service for tests of the kit, answered by functions instead of sockets."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from adapters._kit.action import ActionDefinition
from adapters._kit.call import Call
from adapters._kit.http import CannedTransport, Incoming
from adapters._kit.integration import FolderIntegration, Override, credential_from_fields
from adapters._kit.manifest import Manifest
from domain.catalogue import CallSetting
from domain.json import Json

BASE_URL = "https://harbour.example/v1"
KEY = UUID(int=7)
TOKEN = "harbour_0123456789abcdef"

MANIFEST: dict[str, Any] = {
    "id": "harbour",
    "name": "Harbour",
    "description": "Berths and boats.",
    "category": "OTHER",
    "tier": "BRONZE",
    "http": {"base_url": BASE_URL, "headers": {"accept": "application/json"}},
    "check": {"path": "me", "account": "id", "label": "name", "scopes_header": "x-scopes"},
}


def manifest(**changes: Any) -> Manifest:
    """The made-up service, with parts of its manifest replaced."""
    return Manifest.model_validate({**MANIFEST, **changes})


def reply(status: int = 200, body: "Json | bytes" = None, **headers: str) -> Incoming:
    """An answer; underscores in header names are hyphens."""
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return Incoming(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


def in_turn(*answers: Incoming | Exception) -> CannedTransport:
    """Gives these answers one after the other."""
    waiting = list(answers)
    return CannedTransport(lambda _: waiting.pop(0))


def call(transport: CannedTransport, described: Manifest | None = None, seconds: float = 10) -> Call:
    """A way to the made-up service."""
    deadline_at = datetime.now(UTC) + timedelta(seconds=seconds)
    signed = {"authorization": f"Bearer {TOKEN}"}
    return Call(transport, described or manifest(), BASE_URL, signed, key=KEY, deadline_at=deadline_at)


def integration(
    transport: CannedTransport, definitions: Sequence[ActionDefinition] = (), **changes: Any
) -> FolderIntegration:
    """The made-up service as the catalogue has it, connected by API key."""
    form = {"sign": "bearer", "fields": [{"name": "token", "title": "Token", "description": "Theirs."}]}
    return FolderIntegration(manifest(**{"api_key": form, **changes}), definitions, transport, Override(), None)


def setting(fields: Mapping[str, str] | None = None) -> CallSetting:
    """A run with a pasted credential."""
    deadline_at = datetime.now(UTC) + timedelta(seconds=10)
    credential = credential_from_fields(fields or {"token": TOKEN})
    return CallSetting(credential, None, is_sandbox=False, key=KEY, deadline_at=deadline_at)


def urls(transport: CannedTransport) -> list[str]:
    """Where the requests went, without the address of the service."""
    return [each.url.removeprefix(BASE_URL) for each in transport.requests]


def yes_to_all() -> CannedTransport:
    """Says yes to everything, with an empty object."""
    return CannedTransport(lambda _: reply(200, {}))
