"""Google Drive's actions against software that we did not write.

Against emulate's Google, which keeps state: files that are there afterwards. It differs from Drive: any token passes,
of a query it understands the folder, the type and the trash only, it trashes nothing, keeps every folder a file was in,
and has no ids to give out, exports, copies, deletions, permissions, replacing of content, nor an account.

Against Prism, made from Google's own description: everything that is sent is understood. It cannot take an upload of
several parts (multipart/related) apart; emulate can.
"""

import base64
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from adapters._kit.catalogue import load
from adapters._kit.egress import Egress
from adapters._kit.http import HttpTransport
from adapters._kit.integration import Override
from domain.catalogue import AuthScheme, CallSetting, Credential, Effect, Integration
from domain.errors import NotThere
from domain.json import Json
from domain.secrets import Secret
from tests.support.emulate import Emulated, emulated
from tests.support.prism import prism

DESCRIPTION = Path(__file__).parents[1] / "adapters" / "google_drive" / "description.json"
TOKEN = "token-of-mara"
SAMPLES: dict[str, Json] = {
    "id": "1aB",
    "ids": ["1aB", "1aC"],
    "name": "pier.txt",
    "mimeType": "text/plain",
    "size": "12",
    "createdTime": "2026-11-01T08:00:00.000Z",
    "modifiedTime": "2026-11-02T08:00:00.000Z",
    "sharedWithMeTime": "2026-11-02T08:00:00.000Z",
    "parents": ["0AB"],
    "permissionId": "0123",
    "emailAddress": "mara@example.com",
    "limit": "100",
    "usage": "10",
    "type": "user",
    "role": "reader",
    "expirationTime": None,
    "nextPageToken": None,
    "targetId": None,
}


@dataclass(frozen=True)
class Front:
    """The integration in front of somebody's Drive."""

    integration: Integration

    async def run(self, name: str, /, **parameters: Json) -> Any:
        """Run an action as a checked execution would."""
        action = self.integration.actions[f"google_drive.{name}"]
        assert action.check(parameters) == ()
        credential = Credential(AuthScheme.OAUTH2, {"access_token": Secret(TOKEN)}, {})
        deadline = datetime.now(UTC) + timedelta(seconds=30)
        setting = CallSetting(credential, None, is_sandbox=False, key=uuid4(), deadline_at=deadline)
        return await self.integration.run(action, parameters, setting)


@pytest.fixture(scope="module")
async def front() -> AsyncIterator[Callable[[str], Front]]:
    async with HttpTransport(Egress.allowing(networks=["127.0.0.0/8"], http=True), version="0") as transport:

        def before(address: str) -> Front:
            override = {"google_drive": Override(base_url=address)}
            return Front(load(transport, override, {}).integrations["google_drive"])

        yield before


# ------------------------------------------------------------------------------------------------- emulate


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulated]:
    folder = "application/vnd.google-apps.folder"
    items = [
        {"id": "berths", "name": "Berths", "mime_type": folder},
        {"id": "prices", "name": "prices.csv", "mime_type": "text/csv", "parent_ids": ["berths"], "data": "a,b\n"},
    ]
    seed = {
        "tokens": {TOKEN: {"login": "mara@example.com", "scopes": []}},
        "google": {"users": [{"email": "mara@example.com", "name": "Mara Keel"}], "drive_items": items},
    }
    with emulated(seed, tmp_path_factory.mktemp("emulate") / "stderr.txt") as running:
        yield running


@pytest.fixture
def mara(services: Emulated, front: Callable[[str], Front]) -> Front:
    """Mara's Drive at emulate."""
    return front(services.urls["google"])


async def test_what_is_in_a_folder_is_listed_and_read(mara: Front) -> None:
    (file,) = await mara.run("list_files", folder_id="berths")
    assert (file["id"], file["kind"], file["folder_id"]) == ("prices", "file", "berths")
    assert [each["id"] for each in await mara.run("search_files", kind="csv", folder_id="berths")] == ["prices"]
    assert (await mara.run("read_file", file_id="prices"))["content"]["text"] == "a,b\n"


@pytest.mark.parametrize("raw", [b"Lamp \xc3\xb6n.\r\n--x\r\n", bytes(range(256)) * 8, b""])
async def test_an_upload_in_one_request_arrives_as_it_was(mara: Front, raw: bytes) -> None:
    content: Json = {"base64": base64.b64encode(raw).decode()}
    name = f"lamp-{uuid4().hex[:8]}.bin"
    made = await mara.run("create_file", name=name, content=content, media_type="application/x-lamp")
    assert (made["name"], made["media_type"], made["size_bytes"]) == (name, "application/x-lamp", len(raw))
    found = await mara.run("get_file_content", file_id=made["id"])
    assert (found["base64"], found["size"]) == (content["base64"] if isinstance(content, dict) else "", len(raw))


async def test_a_file_is_put_into_a_new_folder_renamed_and_moved(mara: Front) -> None:
    folder = await mara.run("create_folder", name="Moorings")
    made = await mara.run("create_file", name="a.txt", content={"text": "a"}, folder_id=folder["id"])
    assert (folder["kind"], made["folder_id"]) == ("folder", folder["id"])
    renamed = await mara.run("update_file", file_id=made["id"], name="b.txt")
    assert (renamed["name"], await mara.run("get_file", file_id=made["id"])) == ("b.txt", renamed)
    moved = await mara.run("move_file", file_id=made["id"], folder_id="root")
    assert moved["folder_id"] == "root"
    assert await mara.run("list_files", folder_id=folder["id"]) == []


async def test_a_file_that_is_not_there_is_not_found(mara: Front) -> None:
    for action in ("get_file", "trash_file"):
        with pytest.raises(NotThere):
            await mara.run(action, file_id="nowhere")


# --------------------------------------------------------------------------------------------------- Prism


@pytest.fixture(scope="module")
async def described(
    front: Callable[[str], Front], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[str, Front]]:
    async with prism(DESCRIPTION, SAMPLES, tmp_path_factory.mktemp("prism")) as address:
        yield address, front(address)


FILE = {"file_id": "1aB"}
EVERY: list[tuple[str, dict[str, Any]]] = [
    ("get_account", {}),
    ("search_files", {"name_contains": "pier's", "kind": "pdf", "shared_with_me": True, "order_by": "name"}),
    ("list_files", {"folder_id": "0AB", "limit": 7}),
    ("get_file", FILE),
    ("read_file", FILE),
    ("get_file_content", FILE),
    ("export_file", {**FILE, "format": "pdf"}),
    ("generate_ids", {"count": 2}),
    ("find_created_file", {"execution": f"exe_{uuid4().hex}"}),
    ("create_folder", {"name": "Moorings", "folder_id": "0AB"}),
    ("copy_file", {**FILE, "name": "b.txt", "folder_id": "0AB"}),
    ("update_file", {**FILE, "name": "c.txt", "add_to_folder": "0AB", "is_starred": True}),
    ("replace_file_content", {**FILE, "content": {"text": "b"}, "media_type": "text/plain"}),
    ("move_file", {**FILE, "folder_id": "0AC"}),
    ("trash_file", FILE),
    ("delete_file", FILE),
    ("list_permissions", FILE),
    ("share_file", {**FILE, "email": "jon@example.com", "message": "Look."}),
    ("share_file_with_everyone", {**FILE, "domain": "example.com"}),
    ("unshare_file", {**FILE, "permission_id": "0123"}),
]


@pytest.mark.parametrize(("name", "parameters"), EVERY, ids=lambda each: each if isinstance(each, str) else "")
async def test_everything_that_is_sent_fits_the_description(
    described: tuple[str, Front], name: str, parameters: dict[str, Any]
) -> None:
    found = await described[1].run(name, **parameters)
    action = described[1].integration.actions[f"google_drive.{name}"]
    assert (found is None) == (action.effect is Effect.DESTRUCTIVE and name != "share_file_with_everyone")


def test_every_action_is_tried(front: Callable[[str], Front]) -> None:
    actions = front("http://127.0.0.1:9").integration.actions
    assert {f"google_drive.{name}" for name, _ in EVERY} == set(actions) - {"google_drive.create_file"}


async def test_prism_refuses_what_the_description_does_not_tell(described: tuple[str, Front]) -> None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        assert (await http.get(f"{described[0]}/drive/v3/about")).status_code == 422  # `fields` is missing
        assert (await http.post(f"{described[0]}/drive/v3/files/1aB")).status_code == 405
