"""A day with Vercel through the gateway, its sandbox and the database: connect, deploy, look, go back."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2

from adapters._kit.catalogue import manifest_of
from adapters.vercel.sandbox_state import LIN, TEAM
from domain.json import Json
from tests.support.gateways import CONNECT, SESSION, Client, RunningGateway, agent_with_grant

DISCONNECT = "mutation ($id: ID!) { disconnect(input: {id: $id}) { revokedUpstream } }"
SITE: dict[str, Json] = {"project": "harbour-site"}


async def connect(owner: Client, **more: str) -> Any:
    box = manifest_of("vercel").sandbox
    assert box is not None
    fields: dict[str, Json] = {**box.try_fields, **more}
    made = (await owner.ask(CONNECT, {"input": {"integration": "vercel", "credentials": fields}}))["connect"]
    assert (made["errors"], made["connection"]["status"]) == ([], "ACTIVE"), made
    return made["connection"]


async def run(client: Client, action: str, **parameters: Json) -> Any:
    done = await client.execute(f"vercel.{action}", parameters)
    assert (done["errors"], done["execution"]["status"]) == ([], "SUCCEEDED"), done["execution"]["error"]
    return done["execution"]["result"]


async def test_an_agent_deploys_a_website_looks_at_it_and_goes_back(gateway: RunningGateway) -> None:
    owner = gateway.client()
    connection = await connect(owner, team_id=TEAM)
    assert (connection["account"]["id"], connection["account"]["label"]) == (TEAM, "Harbour Works")
    agent = (await agent_with_grant(owner, connection["id"])).client

    before = await run(agent, "get_project", **SITE)
    await run(agent, "set_env_var", **SITE, key="LAMP", value="lit", targets=["production"])
    git: Json = {"type": "github", "repo": "harbour-works/site", "ref": "main"}
    begun = await run(agent, "deploy", **SITE, git=git, target="production", wait_seconds=0)
    assert (begun["is_finished"], begun["state"]) == (False, "QUEUED")
    assert (await run(agent, "view_logs", deployment=begun["id"]))["runtime"] is None
    await run(agent, "cancel_deployment", deployment=begun["id"])
    gone_back = await run(owner, "rollback", **SITE)  # what production serves is a person's business
    assert gone_back["previous_deployment_id"] == before["production_deployment_id"]


async def test_the_value_of_a_variable_is_in_no_answer(gateway: RunningGateway) -> None:
    owner = gateway.client()
    await connect(owner, team_id=TEAM)
    parameters: Json = {**SITE, "key": "TOKEN", "value": "value-for-nobody-else", "targets": ["preview"]}
    done = await owner.execute("vercel.set_env_var", parameters)
    assert done["execution"]["status"] == "SUCCEEDED", done
    assert "value-for-nobody-else" not in json.dumps(done)


async def test_a_person_connects_in_a_browser(gateway: RunningGateway) -> None:
    owner = gateway.client()
    wish: Json = {"integration": "vercel", "actions": ["vercel.list_projects"]}
    begun = (await owner.ask(CONNECT, {"input": wish}))["connect"]
    assert not begun["errors"], begun
    async with httpx2.AsyncClient(follow_redirects=True, trust_env=False) as browser:
        page = await browser.get(begun["session"]["authorizationUrl"])
        asked = dict(parse_qsl(urlsplit(str(page.url)).query))
        await browser.post(page.url, data={**asked, "decision": "authorize", "account": LIN})
    session = (await owner.ask(SESSION, {"id": begun["session"]["id"]}))["node"]
    assert session["status"] == "COMPLETED", session
    assert session["connection"]["account"]["label"] == "lin-harbour"
    assert [each["name"] for each in await run(owner, "list_projects")] == ["lamp-notes"]


async def test_a_team_that_installs_is_the_account_and_disconnecting_ends_the_installation(
    gateway: RunningGateway,
) -> None:
    owner = gateway.client()
    wish: Json = {"integration": "vercel", "actions": ["vercel.list_projects"]}
    begun = (await owner.ask(CONNECT, {"input": wish}))["connect"]
    async with httpx2.AsyncClient(follow_redirects=True, trust_env=False) as browser:
        page = await browser.get(begun["session"]["authorizationUrl"])
        asked = dict(parse_qsl(urlsplit(str(page.url)).query))
        await browser.post(page.url, data={**asked, "decision": "authorize", "account": TEAM})
    session = (await owner.ask(SESSION, {"id": begun["session"]["id"]}))["node"]
    assert (session["status"], session["connection"]["account"]["id"]) == ("COMPLETED", TEAM), session
    assert "harbour-site" in {each["name"] for each in await run(owner, "list_projects")}
    ended = await owner.ask(DISCONNECT, {"id": session["connection"]["id"]})
    assert ended["disconnect"] == {"revokedUpstream": True}
