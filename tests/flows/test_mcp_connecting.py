"""A person who acts over MCP is led to where the missing account is connected; an agent is told to ask for it."""

from typing import Any

from gateway.browsing import Browser
from tests.support.gateways import RunningGateway, agent_with_grant, connected
from tests.support.speaking import ISSUE, asked, called, words

CALL = {"name": "github_create_issue", "arguments": ISSUE}
LED: dict[str, Any] = {"elicitation": {"url": {}}}


async def test_a_client_that_can_lead_its_person_is_given_the_address(gateway: RunningGateway) -> None:
    owner = gateway.client()
    needed = await asked(owner, "tools/call", CALL, **LED)
    assert needed["resultType"] == "input_required"
    wish = needed["inputRequests"]["connect"]
    assert (wish["method"], wish["params"]["mode"]) == ("elicitation/create", "url")
    browser = Browser()
    page = await browser.open(wish["params"]["url"])
    await browser.press(page, decision="authorize")
    answers = {"connect": {"action": "accept"}}
    done = await asked(owner, "tools/call", {**CALL, "inputResponses": answers}, **LED)
    assert done["structuredContent"]["title"] == "Lamp is dim"


async def test_who_comes_back_without_having_connected_is_told_in_words(gateway: RunningGateway) -> None:
    owner = gateway.client()
    answers = {"connect": {"action": "decline"}}
    told = await asked(owner, "tools/call", {**CALL, "inputResponses": answers}, **LED)
    assert told["isError"]
    assert told["structuredContent"]["connectUrl"].startswith(f"{gateway.url}/oauth/start/")


async def test_without_that_ability_the_address_stands_in_the_answer(gateway: RunningGateway) -> None:
    owner = gateway.client()
    answer = await called(owner, "github_create_issue", ISSUE)
    assert answer.structured_content["code"] == "CONNECTION_REQUIRED"
    assert answer.structured_content["connectUrl"] in words(answer)


async def test_a_missing_scope_leads_to_reconnecting(gateway: RunningGateway) -> None:
    owner = gateway.client()
    account = await connected(owner, actions=["github.get_account"])
    answer = await called(owner, "github_create_issue", ISSUE)
    browser = Browser()
    await browser.press(await browser.open(answer.structured_content["connectUrl"]), decision="authorize")
    done = await called(owner, "github_create_issue", ISSUE)
    assert not done.is_error, done
    nodes = (await owner.ask("{ connections { nodes { id grantedScopes } } }"))["connections"]["nodes"]
    assert [each["id"] for each in nodes] == [account.id]
    assert "repo" in nodes[0]["grantedScopes"]


async def test_a_choice_between_accounts_is_no_matter_of_connecting(gateway: RunningGateway) -> None:
    owner = gateway.client()
    await connected(owner)
    await connected(owner, account="sam-quay")
    answer = await called(owner, "github_create_issue", ISSUE)
    assert answer.structured_content["code"] == "CONNECTION_REQUIRED"
    assert "connectUrl" not in answer.structured_content


async def test_an_agent_never_gets_an_address(gateway: RunningGateway) -> None:
    owner = gateway.client()
    account = await connected(owner, actions=["github.get_account"])
    agent = await agent_with_grant(owner, account.id)
    told = await asked(agent.client, "tools/call", CALL, **LED)
    assert told["isError"]
    assert told["structuredContent"]["missingScopes"] == ["repo"]
    assert "connectUrl" not in told["structuredContent"]
