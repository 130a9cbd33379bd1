"""Microsoft 365 as a newcomer meets it: through a gateway, with the sandbox's consent page."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2

from adapters.microsoft365.sandbox_seed import ADA
from tests.foreign.journeys import succeed
from tests.support.gateways import CONNECT, SESSION, Client, RunningGateway, agent_with_grant

ACTIONS = ("send_email", "list_messages", "find_sent_email", "create_event", "upload_file", "read_file")


async def connected(owner: Client, *actions: str) -> Any:
    """Ada's account, with what these actions need."""
    wish = {"integration": "microsoft365", "actions": [f"microsoft365.{name}" for name in actions]}
    begun = (await owner.ask(CONNECT, {"input": wish}))["connect"]
    assert not begun["errors"], begun
    async with httpx2.AsyncClient(follow_redirects=True, trust_env=False) as browser:
        page = await browser.get(begun["session"]["authorizationUrl"])
        told = dict(parse_qsl(urlsplit(str(page.url)).query))
        await browser.post(page.url, data={**told, "account": ADA.id, "decision": "authorize"})
    session = (await owner.ask(SESSION, {"id": begun["session"]["id"]}))["node"]
    assert session["status"] == "COMPLETED", session
    return session["connection"]


async def test_an_agent_works_in_the_account_of_somebody_who_consented(gateway: RunningGateway) -> None:
    owner = gateway.client()
    connection = await connected(owner, *ACTIONS)
    assert (connection["account"]["label"], connection["isSandbox"]) == ("ada@harbour.example", True)
    assert set(connection["grantedScopes"]) == {
        *("User.Read", "Mail.Read", "Mail.Send", "Calendars.ReadWrite", "Files.ReadWrite")
    }
    agent = (await agent_with_grant(owner, connection["id"])).client

    mail = {"to": ["ada@harbour.example"], "subject": "To myself", "body": "Remember the ropes."}
    sent = (await agent.execute("microsoft365.send_email", mail))["execution"]
    assert sent["status"] == "SUCCEEDED", sent
    found = await succeed(agent, "microsoft365.find_sent_email", execution=sent["id"])
    inbox = await succeed(agent, "microsoft365.list_messages", limit=1)
    times = {"starts_at": "2026-12-01T10:00:00+01:00", "ends_at": "2026-12-01T11:00:00+01:00"}
    meeting = await succeed(agent, "microsoft365.create_event", subject="Ropes", **times, is_online_meeting=True)
    await succeed(agent, "microsoft365.upload_file", path="Ropes/list.txt", content={"text": "Hemp\n"})
    read = await succeed(agent, "microsoft365.read_file", path="Ropes/list.txt")

    assert [each["subject"] for each in found] == ["To myself"]
    assert inbox[0]["subject"] == "To myself"
    assert meeting["join_url"]
    assert read["content"]["text"] == "Hemp\n"


async def test_an_email_whose_answer_was_lost_is_unknown_and_says_how_to_find_out(gateway: RunningGateway) -> None:
    owner = gateway.client()
    connection = await connected(owner, "send_email", "find_sent_email")
    agent = (await agent_with_grant(owner, connection["id"])).client
    await gateway.misbehave("lost_answer", "POST /v1.0/me/sendMail", service="microsoft365")
    mail = {"to": ["ben@harbour.example"], "subject": "Lost?", "body": "Perhaps."}
    lost = (await agent.execute("microsoft365.send_email", mail))["execution"]
    assert lost["status"] == "UNKNOWN", lost
    assert "find_sent_email" in lost["whatToCheck"]
    found = await succeed(agent, "microsoft365.find_sent_email", execution=lost["id"])
    assert [each["subject"] for each in found] == ["Lost?"]


async def test_what_was_not_granted_is_refused_before_microsoft_is_asked(gateway: RunningGateway) -> None:
    owner = gateway.client()
    connection = await connected(owner, "list_messages")
    agent = (await agent_with_grant(owner, connection["id"])).client
    refused = await agent.execute("microsoft365.send_email", {"to": ["a@b.example"], "subject": "S", "body": "B"})
    [error] = refused["errors"]
    assert error["missingScopes"] == ["Mail.Send"]


async def test_a_meeting_whose_answer_was_lost_is_made_once(gateway: RunningGateway) -> None:
    owner = gateway.client()
    connection = await connected(owner, "create_event", "list_events")
    agent = (await agent_with_grant(owner, connection["id"])).client
    await gateway.misbehave("lost_answer", "POST /v1.0/me/events", service="microsoft365")
    wish = {"subject": "Once", "starts_at": "2026-12-02T10:00:00Z", "ends_at": "2026-12-02T11:00:00Z"}
    made = (await agent.execute("microsoft365.create_event", wish))["execution"]
    times = {"starts_after": "2026-12-02T00:00:00Z", "ends_before": "2026-12-03T00:00:00Z"}
    found = await succeed(agent, "microsoft365.list_events", **times)
    assert made["status"] == "SUCCEEDED", made
    assert [each["id"] for each in found] == [made["result"]["id"]]
