"""Gmail at work: consent, grant, reading, sending, finding what was lost, disconnecting, through the gateway."""

import asyncio
import base64
from typing import Any

import httpx2
import pytest

from adapters._kit.sandbox_google import google_people
from domain.json import Json
from execution import running
from tests.support.gateways import CONNECT, SESSION, Client, RunningGateway, agent_with_grant

ACTIONS = ("read_inbox", "get_attachment", "send_email", "reply_to_email", "find_sent_email", "search_contacts")


MARA, JON = (each.sub for each in google_people())
DISCONNECT = "mutation ($input: DisconnectInput!) { disconnect(input: $input) { revokedUpstream errors { code } } }"


async def connected(owner: Client, person: str = MARA) -> dict[str, Any]:
    """Connect the simulated Gmail as somebody who allows everything that is asked for."""
    wanted: Json = {"integration": "gmail", "actions": [f"gmail.{each}" for each in ACTIONS]}
    begun = (await owner.ask(CONNECT, {"input": wanted}))["connect"]
    assert begun["errors"] == []
    async with httpx2.AsyncClient(follow_redirects=True, trust_env=False) as browser:
        page = await browser.get(begun["session"]["authorizationUrl"])
        asked = {**page.url.params, "account": person, "decision": "authorize"}
        assert (await browser.post(page.url, data=asked)).is_success
    session = (await owner.ask(SESSION, {"id": begun["session"]["id"]}))["node"]
    assert session["status"] == "COMPLETED", session
    found: dict[str, Any] = session["connection"]
    return found


async def test_mail_is_read_answered_and_sent_by_an_agent_with_a_grant(gateway: RunningGateway) -> None:
    owner = gateway.client()
    connection = await connected(owner)
    assert connection["account"]["label"] == "mara@harbour.example"
    assert "https://www.googleapis.com/auth/gmail.readonly" in connection["grantedScopes"]
    agent = await agent_with_grant(owner, connection["id"])

    async def run(action: str, **parameters: Json) -> Any:
        done = await agent.client.execute(f"gmail.{action}", parameters)
        assert (done["errors"], done["execution"]["status"]) == ([], "SUCCEEDED"), done
        return done["execution"]

    emails = (await run("read_inbox", limit=5))["result"]["emails"]
    invoice = next(each for each in emails if each["attachments"])
    read = await run("get_attachment", message_id=invoice["id"], part_id=invoice["attachments"][0]["part_id"])
    assert read["result"]["text"].startswith("item,euro")
    (jon,) = (await run("search_contacts", query="Jon"))["result"]
    attachment: Json = {"file_name": "chart.png", "content": {"base64": base64.b64encode(b"\x89PNG" * 9000).decode()}}
    sent = await run("send_email", to=jon["emails"], subject="Chart", text="Here.", attachments=[attachment])
    (found,) = (await run("find_sent_email", execution=sent["id"]))["result"]
    assert found["id"] == sent["result"]["id"]
    tide = next(each for each in emails if each["subject"] == "Tide on Saturday")
    answered = await run("reply_to_email", message_id=tide["id"], text="Aye.")
    assert answered["result"]["thread_id"] == tide["thread_id"]


async def test_an_email_whose_answer_was_lost_is_unknown_and_then_found(gateway: RunningGateway) -> None:
    owner = gateway.client()
    await connected(owner)
    await gateway.misbehave("lost_answer", "POST *send", service="gmail")
    letter: Json = {"to": ["jon@harbour.example"], "subject": "Lost", "text": "Or not."}
    lost = (await owner.execute("gmail.send_email", letter))["execution"]
    assert lost["status"] == "UNKNOWN"
    assert "find_sent_email" in lost["whatToCheck"]
    found = (await owner.execute("gmail.find_sent_email", {"execution": lost["id"]}))["execution"]
    assert [each["subject"] for each in found["result"]] == ["Lost"]


@pytest.mark.parametrize(
    ("action", "parameters", "pointer"),
    [
        ("send_email", {"to": ["a@b.example\r\nBcc: x@y.example"], "subject": "x", "text": "x"}, "/to/0"),
        ("read_inbox", {"limit": 1000}, "/limit"),
    ],
)
async def test_bad_input_is_told_before_anything_is_sent(
    gateway: RunningGateway, action: str, parameters: Json, pointer: str
) -> None:
    owner = gateway.client()
    await connected(owner)
    (error,) = (await owner.execute(f"gmail.{action}", parameters))["errors"]
    assert [each["pointer"] for each in error["violations"]] == [pointer]


async def test_a_scope_that_was_not_asked_for_is_asked_for_when_it_is_needed(gateway: RunningGateway) -> None:
    owner = gateway.client()
    connection = await connected(owner)
    done = await owner.execute("gmail.trash_message", {"message_id": "m1"})
    (error,) = done["errors"]
    assert (error["__typename"], error["connection"]["id"]) == ("ConnectionRequired", connection["id"])
    assert error["missingScopes"] == ["https://www.googleapis.com/auth/gmail.modify"]


async def test_disconnecting_takes_the_consent_back_at_google(gateway: RunningGateway) -> None:
    owner = gateway.client()
    connection = await connected(owner, JON)  # revoking ends everything of the same person
    done = (await owner.ask(DISCONNECT, {"input": {"id": connection["id"]}}))["disconnect"]
    assert done == {"revokedUpstream": True, "errors": []}
    assert (await gateway.effects("gmail"))["effects"]["POST /oauth2/revoke"] == 1


async def test_an_email_of_which_nobody_knew_whether_it_went_is_found(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "PROBE_SECONDS", 0)
    owner = gateway.client()
    agent = await agent_with_grant(owner, (await connected(owner))["id"])
    await gateway.misbehave("lost_answer", "POST *send", service="gmail")
    letter: Json = {"to": ["jon@harbour.example"], "subject": "Tide", "text": "At eight."}
    lost = (await agent.client.execute("gmail.send_email", letter))["execution"]
    assert (lost["status"], lost["error"]["code"]) == ("UNKNOWN", "TIMED_OUT")
    query = "query ($id: ID!) { node(id: $id) { ... on Execution { status result whatToCheck error { code } } } }"
    async with asyncio.timeout(15):
        while (found := (await agent.client.ask(query, {"id": lost["id"]}))["node"])["status"] == "UNKNOWN":
            await asyncio.sleep(0.05)
    assert (found["status"], found["whatToCheck"], found["error"]) == ("SUCCEEDED", None, None)
    told = await agent.client.execute("gmail.get_message", {"message_id": found["result"]["id"]})
    assert told["execution"]["result"]["sent_by_execution"] == lost["id"]
    events = "query ($id: ID!) { auditEvents(execution: $id) { nodes { type } } }"
    types = [each["type"] for each in (await owner.ask(events, {"id": lost["id"]}))["auditEvents"]["nodes"]]
    assert types == ["execution.probed", "execution.unknown", "execution.started"]
