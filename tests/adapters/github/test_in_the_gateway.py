"""GitHub through a running gateway, as a newcomer would use it: connect in a browser, grant, set up CI/CD."""

import httpx2

from domain.json import Json
from tests.foreign.journeys import succeed
from tests.support.gateways import CONNECT, SESSION, Client, RunningGateway, agent_with_grant

LEDGER: dict[str, Json] = {"owner": "lin-harbour", "repo": "ledger"}
ACTIONS = ("github.configure_ci", "github.dispatch_workflow", "github.get_workflow_logs", "github.create_release")


async def connected(owner: Client, *actions: str) -> str:
    """Connect the simulated GitHub in a browser, allowing all that is asked for; the connection's id."""
    wanted: Json = {"integration": "github", "authScheme": "OAUTH2", "actions": list(actions)}
    session = (await owner.ask(CONNECT, {"input": wanted}))["connect"]["session"]
    async with httpx2.AsyncClient(follow_redirects=True, trust_env=False) as browser:
        page = await browser.get(session["authorizationUrl"])
        told = {**page.url.params, "decision": "authorize", "account": "lin-harbour"}
        assert (await browser.post(page.url, data=told)).is_success
    ended = (await owner.ask(SESSION, {"id": session["id"]}))["node"]
    assert ended["status"] == "COMPLETED", ended
    connection: str = ended["connection"]["id"]
    return connection


async def test_a_newcomer_sets_up_ci_and_reads_why_the_build_failed(gateway: RunningGateway) -> None:
    owner = gateway.client()
    connection = await connected(owner, *ACTIONS)
    agent = (await agent_with_grant(owner, connection, actions=ACTIONS)).client

    workflow = "name: Build\non: workflow_dispatch\njobs: {}\n"
    secrets: Json = [{"name": "DEPLOY_TOKEN", "value": "correct horse battery staple"}]
    told: dict[str, Json] = {"file_name": "build.yml", "workflow": workflow, "secrets": secrets}
    payload = await agent.execute("github.configure_ci", {**LEDGER, **told})
    assert "battery" not in str(payload)
    made = payload["execution"]["result"]
    assert (made["path"], made["secrets"]) == (".github/workflows/build.yml", ["DEPLOY_TOKEN"])
    started = await succeed(agent, "github.dispatch_workflow", **LEDGER, workflow="build.yml", branch="main")
    assert started["run_id"]
    release = await succeed(agent, "github.create_release", **LEDGER, tag="v1.0.0")
    assert release["tag"] == "v1.0.0"


async def test_deleting_a_repository_is_refused_when_only_writing_was_granted(gateway: RunningGateway) -> None:
    owner = gateway.client()
    connection = await connected(owner, "github.delete_repo", "github.get_repo")
    agent = (await agent_with_grant(owner, connection)).client
    refused = await agent.execute("github.delete_repo", LEDGER)
    assert refused["execution"] is None
    assert refused["errors"][0]["__typename"] == "PermissionDenied"
