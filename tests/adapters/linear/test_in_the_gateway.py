"""Linear through a running gateway, as a newcomer would use it: by consent, by key, and to the end."""

import pytest

from adapters._kit.catalogue import manifest_of
from adapters.linear.sandbox_state import id_of
from domain.json import Json
from gateway.browsing import Browser
from tests.support.gateways import CONNECT, SESSION, Client, RunningGateway, agent_with_grant

DISCONNECT = "mutation ($id: ID!) { disconnect(input: {id: $id}) { revokedUpstream } }"
ENG = id_of("teams/ENG")


async def by_consent(owner: Client, *actions: str) -> str:
    """Connect as Lin in a browser; the connection's id."""
    wanted: Json = {"integration": "linear", "actions": list(actions)}
    begun = (await owner.ask(CONNECT, {"input": wanted}))["connect"]
    assert begun["errors"] == [], begun
    browser = Browser()
    page = await browser.open(begun["session"]["authorizationUrl"])
    assert "SANDBOX" in page.text
    await browser.press(page, account=id_of("people/lin"), decision="authorize")
    ended = (await owner.ask(SESSION, {"id": begun["session"]["id"]}))["node"]
    assert ended["status"] == "COMPLETED", ended
    assert ended["connection"]["account"]["label"] == "lin@harbour.example"
    connection: str = ended["connection"]["id"]
    return connection


async def test_an_agent_reports_a_bug_and_may_not_change_others(gateway: RunningGateway) -> None:
    owner = gateway.client()
    connection = await by_consent(owner, "linear.create_issue", "linear.search_issues")
    agent = (await agent_with_grant(owner, connection)).client
    made = (await agent.execute("linear.create_issue", {"team_id": ENG, "title": "Bell is silent"}))["execution"]
    assert made["status"] == "SUCCEEDED", made
    found = (await agent.execute("linear.search_issues", {"query": "bell"}))["execution"]["result"]
    assert [each["id"] for each in found] == [made["result"]["id"]]
    (error,) = (await agent.execute("linear.update_issue", {"issue": "ENG-1", "title": "x"}))["errors"]
    assert (error["__typename"], error["missingScopes"]) == ("ConnectionRequired", ["write"])
    assert (await owner.ask(DISCONNECT, {"id": connection}))["disconnect"]["revokedUpstream"] is True


@pytest.mark.parametrize(("key", "is_taken"), [("", True), ("lin_api_nobody_has_this_key", False)])
async def test_a_key_is_tested_before_it_is_kept(gateway: RunningGateway, key: str, is_taken: bool) -> None:
    box = manifest_of("linear").sandbox
    assert box is not None
    fields: Json = {"key": key} if key else dict(box.try_fields)
    wanted: Json = {"integration": "linear", "authScheme": "API_KEY", "credentials": fields}
    made = (await gateway.client().ask(CONNECT, {"input": wanted}))["connect"]
    assert (made["connection"] is not None, made["errors"] == []) == (is_taken, is_taken)
