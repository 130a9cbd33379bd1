"""A new integration to begin with: a folder that is whole, with tests that pass, and nothing else touched.

What is written is bronze (see `tests/house/tiers.py`) and made up: every fact in it is to be replaced by the service's.
"""

import re
from pathlib import Path

from domain.errors import Misconfigured

_SLUG = re.compile(r"[a-z][a-z0-9_]{1,39}")
_HOME = Path(__file__).parent.parent

_MANIFEST = """# What {name} is. Sources: name the pages these facts are from, and the day you read them.
id = "{slug}"
name = "{name}"
description = "Keep notes."
category = "OTHER"
tier = "BRONZE"
documentation_url = "https://api.{slug}.example/docs"

[http]
base_url = "https://api.{slug}.example"
headers = {{ accept = "application/json" }}
# How lists continue: link, cursor, page or address. See adapters/_kit/manifest.py.
pages = {{ style = "cursor", size_parameter = "limit", largest = 100, next = "next", parameter = "after" }}

# Where a refusal says what is wrong, and what its words mean in ours.
[answers]
error = "error.code"

[answers.errors]
invalid_token = "reconnect_needed"
name_taken = "conflict"

[api_key]
sign = "bearer"

[[api_key.fields]]
name = "token"
title = "Access token"
description = "Made at {name}, under Settings, Access tokens."
pattern = "[A-Za-z0-9_-]{{16,200}}"

# The call that proves a connection and names its account. `account` must never change, `label` is for people.
[check]
path = "v1/me"
account = "id"
label = "name"
"""

_ACTIONS = '''"""What an agent can do at {name}."""

from typing import TypeAlias

from adapters._kit import Annotated, Call, Effect, Field, Result, action

Title: TypeAlias = Annotated[str, Field(min_length=1, max_length=200, description="Shown in the list of notes.")]


class Note(Result):
    """A note."""

    id: str
    title: str


@action(effect=Effect.READ)
async def list_notes(
    call: Call, *, limit: Annotated[int, Field(ge=1, le=1000, description="The most to return.")] = 100
) -> list[Note]:
    """List notes, the newest first."""
    return [Note.of(each) for each in await call.pages("v1/notes", limit=limit, items="notes")]


@action(effect=Effect.WRITE, look_for="a note with this title")
async def create_note(call: Call, *, title: Title) -> Note:
    """Write a note.

    Titles need not be unique. What an agent must know beside the parameters goes here.
    """
    answer = await call.post("v1/notes", json={{"title": title}})
    return Note.of(answer.json)
'''

_TESTS = '''"""{name} as it was read: what is sent, and what is made of the answers."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from adapters._kit.catalogue import load_one
from adapters._kit.http import CannedTransport, Incoming
from adapters._kit.integration import FolderIntegration, Override, credential_from_fields
from domain.catalogue import CallSetting
from domain.errors import AlreadyThere, ProviderProblem, ReconnectNeeded
from domain.json import Json

NOTE: Json = {{"id": "n1", "title": "Fog"}}


def setting() -> CallSetting:
    credential = credential_from_fields({{"token": "a-token-of-a-test-0123"}})
    deadline = datetime.now(UTC) + timedelta(seconds=10)
    return CallSetting(credential, None, is_sandbox=False, key=uuid4(), deadline_at=deadline)


def {slug}(*answers: tuple[int, Json]) -> tuple[FolderIntegration, CannedTransport]:
    """The integration, and a service that gives these answers in turn."""
    waiting = [Incoming(status, {{}}, json.dumps(body).encode()) for status, body in answers]
    transport = CannedTransport(lambda _: waiting.pop(0))
    return load_one("{slug}", transport, Override(), None), transport


async def run(service: FolderIntegration, name: str, /, **parameters: Json) -> Json:
    action = service.actions[f"{slug}.{{name}}"]
    assert action.check(parameters) == ()
    return await service.run(action, parameters, setting())


async def test_a_list_is_walked_to_its_end() -> None:
    service, transport = {slug}((200, {{"notes": [NOTE], "next": "c2"}}), (200, {{"notes": [NOTE]}}))
    assert await run(service, "list_notes") == [NOTE, NOTE]
    assert [each.url.partition("?")[2] for each in transport.requests] == ["limit=100", "limit=100&after=c2"]


async def test_a_note_is_written() -> None:
    service, transport = {slug}((201, NOTE))
    assert await run(service, "create_note", title="Fog") == NOTE
    assert json.loads(transport.requests[0].body or b"") == {{"title": "Fog"}}


@pytest.mark.parametrize(
    ("status", "code", "problem"), [(401, "invalid_token", ReconnectNeeded), (409, "name_taken", AlreadyThere)]
)
async def test_refusals_are_understood(status: int, code: str, problem: type[ProviderProblem]) -> None:
    service, _ = {slug}((status, {{"error": {{"code": code}}}}))
    with pytest.raises(problem):
        await run(service, "create_note", title="Fog")


@pytest.mark.parametrize("title", ["", "x" * 201, 7, None])
def test_what_cannot_be_a_title_is_found_before_anything_is_sent(title: Json) -> None:
    service, _ = {slug}()
    assert [each.pointer for each in service.actions["{slug}.create_note"].check({{"title": title}})] == ["/title"]


async def test_the_connection_test_names_the_account() -> None:
    service, _ = {slug}((200, {{"id": "u1", "name": "Lin Harbour"}}))
    assert (await service.identify(setting())).account.label == "Lin Harbour"
'''


def scaffold(slug: str, root: Path = _HOME.parent) -> list[Path]:
    """Write the folder and its tests below `root`; what was written. Raises Misconfigured, having written nothing."""
    if not _SLUG.fullmatch(slug):
        raise Misconfigured(f"{slug!r} is no name for a folder: 2 to 40 of a-z, 0-9 and _, beginning with a letter.")
    own, tests = root / "adapters" / slug, root / "tests" / "adapters" / slug
    if not tests.parent.is_dir():
        raise Misconfigured(f"There is no {tests.parent}. Run this in a checkout of Mandate, where tests are too.")
    for folder in (own, tests):
        if folder.exists():
            raise Misconfigured(f"{folder} is there already.")
    name = slug.replace("_", " ").title()
    written = {
        own / "__init__.py": f'"""{name}."""\n',
        own / "manifest.toml": _MANIFEST.format(slug=slug, name=name),
        own / "actions.py": _ACTIONS.format(name=name),
        tests / "__init__.py": "",
        tests / f"test_{slug}.py": _TESTS.format(slug=slug, name=name),
    }
    for path, text in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return list(written)
