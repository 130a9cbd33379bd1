"""Google Drive as a newcomer meets it: a running gateway, the practice Drive, a consent page, an agent at work."""

from typing import Any

import httpx2
import pytest

from adapters._kit.sandbox_google import google_people
from tests.foreign.journeys import succeed
from tests.support.gateways import CONNECT, SESSION, Client, RunningGateway, agent_with_grant

MARA = google_people()[0].sub
AUTH = "https://www.googleapis.com/auth/"
ACTIONS = ["google_drive.search_files", "google_drive.create_file", "google_drive.share_file"]


async def connect(owner: Client, actions: list[str]) -> Any:
    """The connection after Mara has allowed everything that is asked for."""
    begun = (await owner.ask(CONNECT, {"input": {"integration": "google_drive", "actions": [*actions]}}))["connect"]
    assert not begun["errors"], begun
    async with httpx2.AsyncClient(follow_redirects=True, trust_env=False) as browser:
        page = await browser.get(begun["session"]["authorizationUrl"])
        asked = {**page.url.params, "account": MARA, "decision": "authorize"}
        assert (await browser.post(page.url, data=asked)).is_success
    session = (await owner.ask(SESSION, {"id": begun["session"]["id"]}))["node"]
    assert session["status"] == "COMPLETED", session
    return session["connection"]


async def test_an_agent_searches_uploads_and_shares_with_the_least_permissions(gateway: RunningGateway) -> None:
    owner = gateway.client()
    connection = await connect(owner, ACTIONS)
    assert connection["account"]["label"] == "mara@harbour.example"
    assert set(connection["grantedScopes"]) == {
        "openid",
        f"{AUTH}userinfo.email",
        f"{AUTH}drive.file",
        f"{AUTH}drive.metadata.readonly",
    }
    agent = (await agent_with_grant(owner, connection["id"], "FULL")).client
    found = await succeed(agent, "google_drive.search_files", name_contains="minutes")
    assert [each["name"] for each in found] == ["Minutes of March", "To the minutes"]
    made = await succeed(agent, "google_drive.create_file", name="report.txt", content={"text": "All well."})
    done = await agent.execute("google_drive.create_folder", {"name": "Reports"})
    execution = done["execution"]
    (folder,) = await succeed(agent, "google_drive.find_created_file", execution=execution["id"])
    assert folder["id"] == execution["result"]["id"]
    shared = await succeed(agent, "google_drive.share_file", file_id=made["id"], email="jon@harbour.example")
    assert shared["role"] == "reader"
    lacking = await agent.execute("google_drive.read_file", {"file_id": "doc-minutes"})
    assert lacking["errors"][0]["missingScopes"] == [f"{AUTH}drive.readonly"]


async def test_a_mistake_comes_back_with_its_place(gateway: RunningGateway) -> None:
    owner = gateway.client()
    connection = await connect(owner, ACTIONS)
    agent = (await agent_with_grant(owner, connection["id"])).client
    refused = await agent.execute("google_drive.create_file", {"name": "a.txt", "content": {"base64": "?"}})
    assert refused["errors"][0]["violations"][0]["pointer"] == "/content/base64"


@pytest.mark.parametrize(
    ("kind", "match", "code"),
    [
        ("401", "POST */copy", "RECONNECT_REQUIRED"),
        ("503", "POST /drive/v3/files", "PROVIDER_UNAVAILABLE"),
    ],
)
async def test_a_problem_at_drive_is_told_as_what_to_do(
    gateway: RunningGateway, kind: str, match: str, code: str
) -> None:
    owner = gateway.client()
    agent = (await agent_with_grant(owner, (await connect(owner, ACTIONS))["id"])).client
    made = await succeed(agent, "google_drive.create_file", name="a.txt", content={"text": "a"})
    await gateway.misbehave(kind, match, service="google_drive", times=5)
    action = "copy_file" if match.endswith("copy") else "create_folder"
    parameters = {"file_id": made["id"]} if action == "copy_file" else {"name": "Never"}
    ended = await agent.execute(f"google_drive.{action}", parameters)
    assert (ended["execution"]["status"], ended["execution"]["error"]["code"]) == ("FAILED", code)
