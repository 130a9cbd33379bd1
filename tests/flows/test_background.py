"""Put off, called off, planned, batched and limited, through a whole gateway."""

import asyncio
from typing import Any

import pytest

from domain.json import Json
from tests.support.gateways import ERRORS, Client, Connected, GrantedAgent, RunningGateway, agent_with_grant, connected

REPO: dict[str, Json] = {"owner": "lin-harbour", "repo": "lighthouse"}
ISSUE: dict[str, Json] = {**REPO, "title": "Fog"}
LOOK = """
query ($id: ID!) { node(id: $id) { ... on Execution {
  status attempts whatToCheck error { code } attemptLog { number outcome providerStatus }
} } }
"""
CANCEL = f"""
mutation ($input: CancelExecutionInput!) {{ cancelExecution(input: $input) {{ execution {{ id status }} {ERRORS} }} }}
"""
PLAN = """
query ($input: ExecuteInput!, $agent: ID) { planExecution(input: $input, agent: $agent) {
  hash isAllowed reason requiresApproval missingScopes request action { slug } connection { id }
  checks { name isPassed message }
} }
"""
BATCH = f"""
mutation ($input: ExecuteBatchInput!) {{ executeBatch(input: $input) {{
  results {{ execution {{ status result }} {ERRORS} }} {ERRORS}
}} }}
"""
FREEZE = f"""
mutation ($input: SetTenantFrozenInput!) {{ setTenantFrozen(input: $input) {{
  isFrozen cancelledExecutions runningExecutions {ERRORS}
}} }}
"""
UPDATE = f"""
mutation ($input: UpdateGrantInput!) {{ updateGrant(input: $input) {{
  grant {{ budget {{ maxExecutions perDay remaining }} constraints approval }} {ERRORS}
}} }}
"""
SUSPEND = f"""
mutation ($input: SetGrantSuspendedInput!) {{ setGrantSuspended(input: $input) {{ grant {{ status }} {ERRORS} }} }}
"""
PREVIEW = """
query ($input: CreateGrantInput!) { previewGrant(input: $input) {
  allowed { slug } refused { action { slug } reason }
} }
"""
RESOLVE = f"""
mutation ($input: ResolveExecutionInput!) {{ resolveExecution(input: $input) {{ execution {{ status }} {ERRORS} }} }}
"""


@pytest.fixture
def owner(gateway: RunningGateway) -> Client:
    return gateway.client()


@pytest.fixture
async def account(owner: Client) -> Connected:
    return await connected(owner)


@pytest.fixture
async def agent(owner: Client, account: Connected) -> GrantedAgent:
    return await agent_with_grant(owner, account.id)


async def settled(client: Client, execution: str) -> Any:
    """The execution, once it has ended."""
    async with asyncio.timeout(15):
        while True:
            found = (await client.ask(LOOK, {"id": execution}))["node"]
            if found["status"] not in ("AWAITING_APPROVAL", "QUEUED", "RUNNING"):
                return found
            await asyncio.sleep(0.02)


# ---------------------------------------------------------------------------------------------- in the background


async def test_the_background_answers_at_once_and_is_done(agent: GrantedAgent) -> None:
    done = await agent.client.execute("github.get_repo", REPO, mode="BACKGROUND")
    assert done["execution"]["status"] == "QUEUED"
    assert (await settled(agent.client, done["execution"]["id"]))["status"] == "SUCCEEDED"


async def test_one_key_is_one_execution_also_in_the_background(gateway: RunningGateway, agent: GrantedAgent) -> None:
    before = (await gateway.effects())["effects"].get("POST /repos/{owner}/{repo}/issues", 0)
    asked = [
        agent.client.execute("github.create_issue", ISSUE, mode="BACKGROUND", idempotencyKey="bg-1") for _ in range(8)
    ]
    ids = {each["execution"]["id"] for each in await asyncio.gather(*asked)}
    assert len(ids) == 1
    assert (await settled(agent.client, ids.pop()))["status"] == "SUCCEEDED"
    assert (await gateway.effects())["effects"]["POST /repos/{owner}/{repo}/issues"] == before + 1
    # Who waits with the same key is answered with the end of it.
    again = await agent.client.execute("github.create_issue", ISSUE, idempotencyKey="bg-1")
    assert again["execution"]["status"] == "SUCCEEDED"


async def test_a_service_that_stumbles_is_asked_again_and_the_attempts_are_told(
    gateway: RunningGateway, agent: GrantedAgent
) -> None:
    await gateway.misbehave("503", "GET /repos/lin-harbour/lighthouse")
    done = await agent.client.execute("github.get_repo", REPO)
    assert done["execution"]["status"] == "SUCCEEDED"
    found = await settled(agent.client, done["execution"]["id"])
    assert found["attempts"] == 2
    assert found["attemptLog"] == [
        {"number": 1, "outcome": "PROVIDER_UNAVAILABLE", "providerStatus": 503},
        {"number": 2, "outcome": "SUCCEEDED", "providerStatus": None},
    ]


# ------------------------------------------------------------------------------------------------------- called off


async def test_what_runs_is_interrupted_and_may_have_happened(gateway: RunningGateway, agent: GrantedAgent) -> None:
    await gateway.misbehave("slow", "POST /repos/lin-harbour/lighthouse/issues", seconds=20)
    done = await agent.client.execute("github.create_issue", ISSUE, mode="BACKGROUND")
    name = done["execution"]["id"]
    async with asyncio.timeout(10):
        while (await agent.client.ask(LOOK, {"id": name}))["node"]["status"] != "RUNNING":
            await asyncio.sleep(0.02)
    await agent.client.ask(CANCEL, {"input": {"id": name}})
    found = await settled(agent.client, name)
    assert (found["status"], found["error"]["code"]) == ("UNKNOWN", "CANCELLED")
    assert found["whatToCheck"]


async def test_somebody_elses_execution_cannot_be_called_off(
    gateway: RunningGateway, owner: Client, account: Connected, agent: GrantedAgent
) -> None:
    done = await agent.client.execute("github.get_repo", REPO)
    other = await agent_with_grant(owner, account.id)
    for client in (other.client, gateway.client()):
        [error] = (await client.ask(CANCEL, {"input": {"id": done["execution"]["id"]}}))["cancelExecution"]["errors"]
        assert (error["code"], error["message"]) == ("NOT_FOUND", "There is no such execution.")


async def test_a_person_settles_what_is_unknown(gateway: RunningGateway, owner: Client, agent: GrantedAgent) -> None:
    await gateway.misbehave("reset", "POST /repos/lin-harbour/lighthouse/issues")
    done = await agent.client.execute("github.create_issue", ISSUE)
    assert done["execution"]["status"] == "UNKNOWN"
    given: Json = {"id": done["execution"]["id"], "happened": True, "note": "Seen it."}
    [error] = (await agent.client.ask(RESOLVE, {"input": given}))["resolveExecution"]["errors"]
    assert error["code"] == "PERMISSION_DENIED"
    assert (await owner.ask(RESOLVE, {"input": given}))["resolveExecution"]["execution"]["status"] == "SUCCEEDED"
    [error] = (await owner.ask(RESOLVE, {"input": given}))["resolveExecution"]["errors"]
    assert error["code"] == "CONFLICT"


async def test_a_frozen_tenant_does_nothing_until_that_is_lifted(owner: Client, agent: GrantedAgent) -> None:
    await owner.ask(UPDATE, {"input": {"id": agent.grant, "approval": "WRITE"}})
    await agent.client.execute("github.create_issue", ISSUE)
    done = (await owner.ask(FREEZE, {"input": {"isFrozen": True, "reason": "Something is wrong."}}))["setTenantFrozen"]
    assert (done["isFrozen"], done["cancelledExecutions"], done["runningExecutions"]) == (True, 1, 0)
    for client in (agent.client, owner):
        [error] = (await client.execute("github.get_repo", REPO))["errors"]
        assert error["reason"] == "tenant_active"
    await owner.ask(FREEZE, {"input": {"isFrozen": False}})
    assert (await agent.client.execute("github.get_repo", REPO))["execution"]["status"] == "SUCCEEDED"


# ---------------------------------------------------------------------------------------------------------- planned


async def test_a_plan_shows_what_would_be_sent_and_sends_nothing(
    gateway: RunningGateway, agent: GrantedAgent, account: Connected
) -> None:
    before = await gateway.effects()
    given: Json = {"action": "github.create_issue", "parameters": ISSUE}
    plan = (await agent.client.ask(PLAN, {"input": given}))["planExecution"]
    assert (plan["isAllowed"], plan["requiresApproval"], plan["connection"]["id"]) == (True, False, account.id)
    assert plan["request"]["method"] == "POST"
    assert plan["request"]["url"].endswith("/repos/lin-harbour/lighthouse/issues")
    assert plan["request"]["body"]["title"] == "Fog"
    assert await gateway.effects() == before
    done = await agent.client.execute("github.create_issue", ISSUE, planHash=plan["hash"])
    assert done["execution"]["status"] == "SUCCEEDED"
    [error] = (await agent.client.execute("github.create_issue", {**ISSUE, "title": "Storm"}, planHash=plan["hash"]))[
        "errors"
    ]
    assert (error["code"], error["path"]) == ("CONFLICT", ["input", "planHash"])


async def test_an_admin_asks_why_an_agent_may_not(owner: Client, account: Connected) -> None:
    agent = await agent_with_grant(owner, account.id, level="READ_ONLY")
    given: Json = {"action": "github.create_issue", "parameters": ISSUE}
    plan = (await owner.ask(PLAN, {"input": given, "agent": agent.agent}))["planExecution"]
    assert not plan["isAllowed"]
    assert [each["name"] for each in plan["checks"]][-1] == "grant_level"
    assert "READ_WRITE" in plan["reason"]
    answer = await agent.client.answer(PLAN, {"input": given, "agent": "agt_" + "0" * 32})
    assert answer["errors"][0]["extensions"]["code"] == "PERMISSION_DENIED"


async def test_a_plan_names_every_wrong_parameter(agent: GrantedAgent) -> None:
    given: Json = {"action": "github.create_issue", "parameters": {"owner": 5}}
    plan = (await agent.client.ask(PLAN, {"input": given}))["planExecution"]
    assert not plan["isAllowed"]
    assert all(name in plan["reason"] for name in ("/owner", "/repo", "/title"))


# ------------------------------------------------------------------------------------------------- batched, limited


async def test_each_of_a_batch_has_its_own_fate(agent: GrantedAgent) -> None:
    given: Json = [
        {"action": "github.get_repo", "parameters": REPO},
        {"action": "github.get_repo", "parameters": {}},
        {"action": "github.nothing", "parameters": {}},
    ]
    done = (await agent.client.ask(BATCH, {"input": {"executions": given}}))["executeBatch"]
    assert done["errors"] == []
    told = [each["execution"]["status"] if each["execution"] else each["errors"][0]["code"] for each in done["results"]]
    assert told == ["SUCCEEDED", "INVALID_PARAMETERS", "NOT_FOUND"]
    assert done["results"][2]["errors"][0]["path"] == ["input", "executions", "2", "action"]


@pytest.mark.parametrize("many", [0, 101])
async def test_a_batch_has_its_bounds(agent: GrantedAgent, many: int) -> None:
    given: Json = [{"action": "github.get_repo", "parameters": REPO}] * many
    [error] = (await agent.client.ask(BATCH, {"input": {"executions": given}}))["executeBatch"]["errors"]
    assert error["code"] == "INVALID_INPUT"


async def test_a_budget_is_kept_and_shown(owner: Client, agent: GrantedAgent) -> None:
    changed = (await owner.ask(UPDATE, {"input": {"id": agent.grant, "budget": {"perDay": 2}}}))["updateGrant"]
    assert changed["grant"]["budget"] == {"maxExecutions": None, "perDay": 2, "remaining": 2}
    asked = [agent.client.execute("github.get_repo", REPO) for _ in range(5)]
    done = await asyncio.gather(*asked)
    assert sorted(len(each["errors"]) for each in done) == [0, 0, 1, 1, 1]
    refused = next(each["errors"][0] for each in done if each["errors"])
    assert (refused["__typename"], refused["code"]) == ("BudgetExceeded", "BUDGET_EXCEEDED")
    assert refused["resetsAt"]
    lifted = (await owner.ask(UPDATE, {"input": {"id": agent.grant, "budget": None}}))["updateGrant"]
    assert lifted["grant"]["budget"] is None
    assert (await agent.client.execute("github.get_repo", REPO))["errors"] == []


async def test_a_budget_of_zero_allows_nothing_and_a_negative_one_is_none(owner: Client, agent: GrantedAgent) -> None:
    await owner.ask(UPDATE, {"input": {"id": agent.grant, "budget": {"maxExecutions": 0}}})
    [error] = (await agent.client.execute("github.get_repo", REPO))["errors"]
    assert (error["code"], error["resetsAt"]) == ("BUDGET_EXCEEDED", None)
    given: Json = {"id": agent.grant, "budget": {"maxExecutions": -1}}
    [error] = (await owner.ask(UPDATE, {"input": given}))["updateGrant"]["errors"]
    assert error["path"] == ["input", "budget", "maxExecutions"]


async def test_what_failed_costs_nothing(owner: Client, agent: GrantedAgent) -> None:
    await owner.ask(UPDATE, {"input": {"id": agent.grant, "budget": {"maxExecutions": 1}}})
    failed = await agent.client.execute("github.get_repo", {**REPO, "repo": "nowhere"})
    assert failed["execution"]["status"] == "FAILED"
    assert (await agent.client.execute("github.get_repo", REPO))["errors"] == []


async def test_conditions_on_parameters_are_held(owner: Client, agent: GrantedAgent) -> None:
    conditions: Json = {"github.*": {"properties": {"owner": {"const": "lin-harbour"}}}}
    changed = (await owner.ask(UPDATE, {"input": {"id": agent.grant, "constraints": conditions}}))["updateGrant"]
    assert changed["grant"]["constraints"] == conditions
    assert (await agent.client.execute("github.get_repo", REPO))["errors"] == []
    [error] = (await agent.client.execute("github.get_repo", {**REPO, "owner": "somebody"}))["errors"]
    assert error["reason"] == "grant_constraints"
    assert "/owner" in error["message"]


@pytest.mark.parametrize(
    "conditions",
    [
        [],
        {"github.*": {"type": "nope"}},
        {"github.*": 5},
        {"slack.*": {}},
        {"github.*": {"$ref": "https://x.example/y"}},
    ],
    ids=["a list", "no such type", "a number", "another service", "elsewhere"],
)
async def test_conditions_that_are_none_are_refused(owner: Client, agent: GrantedAgent, conditions: Any) -> None:
    given: Json = {"id": agent.grant, "constraints": conditions}
    [error] = (await owner.ask(UPDATE, {"input": given}))["updateGrant"]["errors"]
    assert error["code"] == "INVALID_INPUT"
    assert error["path"][:2] == ["input", "constraints"]


async def test_a_suspended_grant_allows_nothing_until_it_is_resumed(owner: Client, agent: GrantedAgent) -> None:
    done = (await owner.ask(SUSPEND, {"input": {"id": agent.grant, "isSuspended": True}}))["setGrantSuspended"]
    assert done["grant"]["status"] == "SUSPENDED"
    [error] = (await agent.client.execute("github.get_repo", REPO))["errors"]
    assert error["reason"] == "grant_in_force"
    await owner.ask(SUSPEND, {"input": {"id": agent.grant, "isSuspended": False}})
    assert (await agent.client.execute("github.get_repo", REPO))["errors"] == []


async def test_a_grant_is_seen_before_it_is_made(owner: Client, account: Connected, agent: GrantedAgent) -> None:
    given: Json = {
        "agent": agent.agent,
        "connection": account.id,
        "allowedActions": ["github.get_repo", "github.delete_file"],
    }
    seen = (await owner.ask(PREVIEW, {"input": given}))["previewGrant"]
    assert [each["slug"] for each in seen["allowed"]] == ["github.get_repo"]
    refused = {each["action"]["slug"]: each["reason"] for each in seen["refused"]}
    assert "READ_ONLY" in refused["github.delete_file"]
    assert "does not name" in refused["github.list_repos"]
