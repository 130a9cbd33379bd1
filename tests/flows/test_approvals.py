"""A person's yes: for one exact plan, once, in time, and never an agent's (promise A9)."""

import asyncio
from typing import Any

import pytest

from domain.callers import Role
from tests.flows.ageing import Ageing
from tests.support.gateways import (
    ERRORS,
    Client,
    GrantedAgent,
    RunningGateway,
    agent_with_grant,
    connected,
)

ISSUE = {"owner": "lin-harbour", "repo": "lighthouse", "title": "Fog"}
DECIDE = f"""
mutation ($input: DecideApprovalInput!) {{ decideApproval(input: $input) {{
  approval {{ id status decidedBy decidedAt reason execution {{ id status }} }} {ERRORS}
}} }}
"""
PENDING = """
query ($status: ApprovalStatus) { approvals(status: $status) { nodes {
  id status summary planHash expiresAt execution { id status parameters action { slug } agent { name } }
} } }
"""
LOOK = "query ($id: ID!) { node(id: $id) { ... on Execution { status error { code } approval { status } } } }"
CANCEL = f"""
mutation ($input: CancelExecutionInput!) {{ cancelExecution(input: $input) {{ execution {{ status }} {ERRORS} }} }}
"""
REVOKE = f"mutation ($input: RevokeGrantInput!) {{ revokeGrant(input: $input) {{ grant {{ status }} {ERRORS} }} }}"


@pytest.fixture
def owner(gateway: RunningGateway) -> Client:
    return gateway.client()


@pytest.fixture
async def agent(owner: Client) -> GrantedAgent:
    """An agent that must ask before it changes anything."""
    account = await connected(owner)
    return await agent_with_grant(owner, account.id, approval="WRITE")


async def asked(owner: Client, agent: GrantedAgent, title: str = "Fog") -> Any:
    """What a person is shown after the agent has asked to open an issue."""
    done = await agent.client.execute("github.create_issue", {**ISSUE, "title": title})
    assert done["errors"] == [], done
    assert done["execution"]["status"] == "AWAITING_APPROVAL"
    nodes = (await owner.ask(PENDING))["approvals"]["nodes"]
    return next(each for each in nodes if each["execution"]["id"] == done["execution"]["id"])


async def decide(client: Client, approval: Any, *, approve: bool = True, **more: Any) -> Any:
    given = {"id": approval["id"], "approve": approve, "planHash": approval["planHash"], **more}
    return (await client.ask(DECIDE, {"input": given}))["decideApproval"]


async def settled(client: Client, execution: str) -> Any:
    """The execution, once it has ended."""
    async with asyncio.timeout(10):
        while True:
            found = (await client.ask(LOOK, {"id": execution}))["node"]
            if found["status"] not in ("AWAITING_APPROVAL", "QUEUED", "RUNNING"):
                return found
            await asyncio.sleep(0.02)


async def issues(gateway: RunningGateway) -> int:
    return int((await gateway.effects())["effects"].get("POST /repos/{owner}/{repo}/issues", 0))


async def test_nothing_is_sent_before_the_yes_and_one_thing_after_it(
    gateway: RunningGateway, owner: Client, agent: GrantedAgent
) -> None:
    before = await issues(gateway)
    approval = await asked(owner, agent)
    assert approval["summary"].startswith("Open an issue, as lin-harbour.")
    assert approval["execution"]["parameters"] == ISSUE
    assert await issues(gateway) == before
    done = await decide(owner, approval, reason="Fine.")
    assert done["errors"] == []
    assert (done["approval"]["status"], done["approval"]["reason"]) == ("APPROVED", "Fine.")
    assert (await settled(owner, approval["execution"]["id"]))["status"] == "SUCCEEDED"
    assert await issues(gateway) == before + 1


async def test_a_no_ends_it(gateway: RunningGateway, owner: Client, agent: GrantedAgent) -> None:
    before = await issues(gateway)
    approval = await asked(owner, agent)
    assert (await decide(owner, approval, approve=False))["approval"]["status"] == "REJECTED"
    found = await settled(agent.client, approval["execution"]["id"])
    assert (found["status"], found["error"]["code"], found["approval"]["status"]) == (
        "CANCELLED",
        "APPROVAL_REJECTED",
        "REJECTED",
    )
    assert await issues(gateway) == before


async def test_a_decision_is_made_once(owner: Client, agent: GrantedAgent) -> None:
    approval = await asked(owner, agent)
    both = await asyncio.gather(decide(owner, approval), decide(owner, approval))
    assert sorted(len(each["errors"]) for each in both) == [0, 1]
    [again] = (await decide(owner, approval))["errors"]
    assert (again["__typename"], again["path"]) == ("Conflict", ["input", "id"])


async def test_the_yes_is_for_what_was_shown(owner: Client, agent: GrantedAgent) -> None:
    one, other = await asked(owner, agent, "Fog"), await asked(owner, agent, "Storm")
    assert one["planHash"] != other["planHash"]
    [error] = (await decide(owner, {**one, "planHash": other["planHash"]}))["errors"]
    assert (error["code"], error["path"]) == ("CONFLICT", ["input", "planHash"])


@pytest.mark.parametrize("role", [Role.MEMBER, Role.AUDITOR])
async def test_only_managers_decide(gateway: RunningGateway, owner: Client, agent: GrantedAgent, role: Role) -> None:
    approval = await asked(owner, agent)
    tenant = (await owner.ask("{ viewer { tenantId } }"))["viewer"]["tenantId"]
    [error] = (await decide(gateway.client(role, tenant), approval))["errors"]
    assert error["code"] == "PERMISSION_DENIED"


async def test_an_agent_does_not_approve_itself(gateway: RunningGateway, owner: Client, agent: GrantedAgent) -> None:
    before = await issues(gateway)
    approval = await asked(owner, agent)
    [error] = (await decide(agent.client, approval))["errors"]
    assert error["code"] == "PERMISSION_DENIED"
    assert await issues(gateway) == before


async def test_another_tenants_question_is_no_question(
    gateway: RunningGateway, owner: Client, agent: GrantedAgent
) -> None:
    approval = await asked(owner, agent)
    [error] = (await decide(gateway.client(), approval))["errors"]
    assert (error["code"], error["message"]) == ("NOT_FOUND", "There is no such approval.")


async def test_an_agent_sees_its_own_questions_alone(owner: Client, agent: GrantedAgent) -> None:
    approval = await asked(owner, agent)
    account = (await owner.ask("{ connections { nodes { id } } }"))["connections"]["nodes"][0]["id"]
    other = await agent_with_grant(owner, account)
    assert [each["id"] for each in (await agent.client.ask(PENDING))["approvals"]["nodes"]] == [approval["id"]]
    assert (await other.client.ask(PENDING))["approvals"]["nodes"] == []


async def test_after_its_time_nothing_can_be_decided_and_it_ends_by_itself(
    owner: Client, agent: GrantedAgent, database: Ageing
) -> None:
    approval = await asked(owner, agent)
    await database.age_approval(approval["id"])
    [error] = (await decide(owner, approval))["errors"]
    assert error["code"] == "CONFLICT"
    found = await settled(owner, approval["execution"]["id"])
    assert (found["status"], found["approval"]["status"]) == ("EXPIRED", "EXPIRED")


async def test_a_grant_that_is_revoked_takes_its_questions_along(
    gateway: RunningGateway, owner: Client, agent: GrantedAgent
) -> None:
    before = await issues(gateway)
    approval = await asked(owner, agent)
    await owner.ask(REVOKE, {"input": {"id": agent.grant}})
    [error] = (await decide(owner, approval))["errors"]
    assert error["code"] == "CONFLICT"
    assert (await settled(owner, approval["execution"]["id"]))["status"] == "CANCELLED"
    assert await issues(gateway) == before


async def test_a_right_that_is_gone_when_its_turn_comes_is_not_used(
    gateway: RunningGateway, owner: Client, agent: GrantedAgent, database: Ageing
) -> None:
    """Nothing tells the queue that a grant's time is over: the rule is asked again before anything is sent."""
    before = await issues(gateway)
    approval = await asked(owner, agent)
    await database.age_grant(agent.grant)
    await decide(owner, approval)
    found = await settled(owner, approval["execution"]["id"])
    assert (found["status"], found["error"]["code"]) == ("FAILED", "PERMISSION_DENIED")
    assert await issues(gateway) == before


async def test_the_agent_may_call_off_what_it_asked_for(owner: Client, agent: GrantedAgent) -> None:
    approval = await asked(owner, agent)
    done = (await agent.client.ask(CANCEL, {"input": {"id": approval["execution"]["id"]}}))["cancelExecution"]
    assert done["execution"]["status"] == "CANCELLED"
    assert (await owner.ask(PENDING))["approvals"]["nodes"] == []
    [error] = (await agent.client.ask(CANCEL, {"input": {"id": approval["execution"]["id"]}}))["cancelExecution"][
        "errors"
    ]
    assert error["code"] == "CONFLICT"


async def test_by_default_an_agent_asks_before_what_is_hard_to_undo(owner: Client) -> None:
    account = await connected(owner, ["github.delete_file"])
    agent = await agent_with_grant(owner, account.id, level="FULL", approval="DESTRUCTIVE")
    parameters = {"owner": "lin-harbour", "repo": "lighthouse", "path": "README.md", "message": "Away"}
    done = await agent.client.execute("github.delete_file", {**parameters, "expected_sha": "0" * 40})
    assert [each["message"] for each in done["errors"]] == []
    assert done["execution"]["status"] == "AWAITING_APPROVAL"


async def test_a_dashboard_follows_questions_and_their_answers(owner: Client, agent: GrantedAgent) -> None:
    async with owner.socket() as socket:
        await socket.subscribe("subscription { approvalEvents { status approval { id } } }")
        approval = await asked(owner, agent)
        first = (await socket.next())["approvalEvents"]
        await decide(owner, approval)
        second = (await socket.next())["approvalEvents"]
    assert [first, second] == [
        {"status": "PENDING", "approval": {"id": approval["id"]}},
        {"status": "APPROVED", "approval": {"id": approval["id"]}},
    ]
