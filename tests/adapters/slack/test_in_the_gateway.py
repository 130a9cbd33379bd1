"""Slack through a running gateway, as a newcomer would use it: by consent, and by pasted tokens."""

import httpx2
import pytest

from adapters._kit.catalogue import manifest_of
from domain.json import Json
from tests.foreign.journeys import succeed
from tests.support.gateways import CONNECT, SESSION, Client, RunningGateway, agent_with_grant

ACTIONS = ("slack.send_message", "slack.get_channel_history", "slack.upload_file", "slack.list_files")


async def by_consent(owner: Client, *actions: str) -> str:
    """Connect the simulated Slack in a browser; the connection's id."""
    wanted: Json = {"integration": "slack", "authScheme": "OAUTH2", "actions": list(actions)}
    session = (await owner.ask(CONNECT, {"input": wanted}))["connect"]["session"]
    async with httpx2.AsyncClient(follow_redirects=True, trust_env=False) as browser:
        page = await browser.get(session["authorizationUrl"])
        assert "SANDBOX" in page.text
        told = {**page.url.params, "decision": "authorize", "account": "U0LIN"}
        assert (await browser.post(page.url, data=told)).is_success
    ended = (await owner.ask(SESSION, {"id": session["id"]}))["node"]
    assert ended["status"] == "COMPLETED", ended
    connection: str = ended["connection"]["id"]
    return connection


async def by_tokens(owner: Client) -> str:
    """Connect with the tokens that the sandbox comes with."""
    box = manifest_of("slack").sandbox
    assert box is not None
    told: Json = {"integration": "slack", "authScheme": "API_KEY", "credentials": box.try_fields}
    made = (await owner.ask(CONNECT, {"input": told}))["connect"]
    assert not made["errors"], made
    connection: str = made["connection"]["id"]
    return connection


async def test_an_agent_posts_and_uploads_in_the_workspace_a_person_connected(gateway: RunningGateway) -> None:
    owner = gateway.client()
    agent = (await agent_with_grant(owner, await by_consent(owner, *ACTIONS), actions=ACTIONS)).client
    sent = await succeed(agent, "slack.send_message", channel="C0HARBOUR", text="Ice on the quay")
    history = await succeed(agent, "slack.get_channel_history", channel="C0HARBOUR", limit=1)
    assert (history[0]["ts"], history[0]["text"]) == (sent["ts"], "Ice on the quay")
    told = {"filename": "ice.txt", "content": "Mind your step.", "channel": "C0HARBOUR"}
    made = await succeed(agent, "slack.upload_file", **told)
    files = await succeed(agent, "slack.list_files", channel="C0HARBOUR")
    assert files[0]["id"] == made["id"]


async def test_with_a_persons_token_an_agent_can_search(gateway: RunningGateway) -> None:
    owner = gateway.client()
    agent = (await agent_with_grant(owner, await by_tokens(owner), actions=["slack.search_messages"])).client
    found = await succeed(agent, "slack.search_messages", query="berth in:#harbour")
    assert [each["text"] for each in found] == ["Is berth 7 free at high water?"]


@pytest.mark.parametrize("missing", ["token", "user_token"])
async def test_a_token_that_is_none_is_refused_before_anything_is_sent(gateway: RunningGateway, missing: str) -> None:
    box = manifest_of("slack").sandbox
    assert box is not None
    told: Json = {
        "integration": "slack",
        "authScheme": "API_KEY",
        "credentials": {**box.try_fields, missing: "my password"},
    }
    made = (await gateway.client().ask(CONNECT, {"input": told}))["connect"]
    assert made["connection"] is None
    assert made["errors"], made
