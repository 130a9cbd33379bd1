"""A yes given beforehand: narrow, counted, and the same as one that a person gives each time."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.callers import Role
from domain.json import Json
from tests.support.gateways import ERRORS, Client, GrantedAgent, RunningGateway, agent_with_grant, connected

CREATE = f"""mutation ($input: CreateStandingApprovalInput!) {{ createStandingApproval(input: $input) {{
  standingApproval {{ id used maxUses action {{ slug }} createdBy revokedAt }} {ERRORS}
}} }}"""
REVOKE = f"""mutation ($input: RevokeStandingApprovalInput!) {{ revokeStandingApproval(input: $input) {{
  standingApproval {{ id used revokedAt }} {ERRORS}
}} }}"""
LISTED = "query ($id: ID!) { node(id: $id) { ... on Grant { standingApprovals { id used } } } }"
READ = """query ($id: ID!) { node(id: $id) { ... on Execution {
  status approval { status decidedBy reason } receipt
} } }"""
LIGHTHOUSE: Json = {"properties": {"repo": {"const": "lighthouse"}, "title": {"maxLength": 20}}, "required": ["repo"]}


def _in(**time: float) -> str:
    return (datetime.now(UTC) + timedelta(**time)).isoformat()


def _issue(title: str = "Lamp is dim", repo: str = "lighthouse") -> Json:
    return {"owner": "lin-harbour", "repo": repo, "title": title}


async def _asked(owner: Client) -> GrantedAgent:
    """An agent of which every change is asked."""
    return await agent_with_grant(owner, (await connected(owner)).id, approval="WRITE")


async def _say_yes(owner: Client, agent: GrantedAgent, **more: Json) -> Any:
    wish: dict[str, Json] = {
        "grant": agent.grant,
        "action": "github.create_issue",
        "maxUses": 2,
        "expiresAt": _in(days=1),
    }
    return (await owner.ask(CREATE, {"input": {**wish, **more}}))["createStandingApproval"]


async def test_a_yes_beforehand_answers_as_often_as_it_was_given_for(gateway: RunningGateway) -> None:
    owner = gateway.client()
    agent = await _asked(owner)
    made = await _say_yes(owner, agent, conditions=LIGHTHOUSE)
    assert made["errors"] == []
    done = [(await agent.client.execute("github.create_issue", _issue(f"{each}")))["execution"] for each in range(3)]
    assert [each["status"] for each in done] == ["SUCCEEDED", "SUCCEEDED", "AWAITING_APPROVAL"]
    seen = (await owner.ask(READ, {"id": done[1]["id"]}))["node"]
    assert (seen["approval"]["status"], seen["approval"]["decidedBy"]) == ("APPROVED", "user:ada")
    assert seen["approval"]["reason"] == f"standing approval {made['standingApproval']['id']}, use 2 of 2"
    assert seen["receipt"]["statement"]["approval"]["decidedBy"] == "user:ada"
    listed = (await owner.ask(LISTED, {"id": agent.grant}))["node"]["standingApprovals"]
    assert listed == [{"id": made["standingApproval"]["id"], "used": 2}]


@pytest.mark.parametrize(
    ("action", "parameters"),
    [
        ("github.create_issue", _issue(repo="ledger")),
        ("github.create_issue", _issue("A title that is longer than twenty characters")),
        ("github.create_repo", {"name": "another"}),
    ],
)
async def test_what_it_was_not_given_for_waits_for_a_person(
    gateway: RunningGateway, action: str, parameters: Json
) -> None:
    owner = gateway.client()
    agent = await _asked(owner)
    await _say_yes(owner, agent, conditions=LIGHTHOUSE)
    other = await _asked(owner)
    assert (await agent.client.execute(action, parameters))["execution"]["status"] == "AWAITING_APPROVAL"
    assert (await other.client.execute("github.create_issue", _issue()))["execution"]["status"] == "AWAITING_APPROVAL"


async def test_no_use_is_taken_twice_however_many_ask_at_once(gateway: RunningGateway) -> None:
    owner = gateway.client()
    agent = await _asked(owner)
    await _say_yes(owner, agent, maxUses=5)
    done = await asyncio.gather(
        *(agent.client.execute("github.create_issue", _issue(f"{each}"), mode="BACKGROUND") for each in range(12))
    )
    states = [each["execution"]["status"] for each in done]
    assert states.count("AWAITING_APPROVAL") == 7
    assert (await owner.ask(LISTED, {"id": agent.grant}))["node"]["standingApprovals"][0]["used"] == 5


async def test_one_that_was_taken_back_answers_nothing_more(gateway: RunningGateway) -> None:
    owner = gateway.client()
    agent = await _asked(owner)
    standing = (await _say_yes(owner, agent))["standingApproval"]["id"]
    for _ in range(2):
        ended = (await owner.ask(REVOKE, {"input": {"id": standing}}))["revokeStandingApproval"]
        assert ended["standingApproval"]["revokedAt"]
    assert (await agent.client.execute("github.create_issue", _issue()))["execution"]["status"] == "AWAITING_APPROVAL"
    foreign = (await gateway.client().ask(REVOKE, {"input": {"id": standing}}))["revokeStandingApproval"]
    assert foreign["errors"][0]["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"maxUses": 0}, "maxUses"),
        ({"maxUses": 1001}, "maxUses"),
        ({"expiresAt": _in(days=91)}, "expiresAt"),
        ({"expiresAt": _in(seconds=-1)}, "expiresAt"),
        ({"conditions": {"type": "nonsense"}}, "conditions"),
        ({"conditions": "text"}, "conditions"),
        ({"action": "github.*"}, "action"),
        ({"grant": "grt_0"}, "grant"),
    ],
)
async def test_one_without_bounds_is_not_made(gateway: RunningGateway, more: dict[str, Json], path: str) -> None:
    owner = gateway.client()
    [error] = (await _say_yes(owner, await _asked(owner), **more))["errors"]
    assert error["path"] == ["input", path]


async def test_neither_agents_nor_members_nor_other_tenants_make_one(gateway: RunningGateway) -> None:
    owner = gateway.client(tenant="standing")
    agent = await _asked(owner)
    for caller, code in (
        (agent.client, "PERMISSION_DENIED"),
        (gateway.client(Role.MEMBER, "standing"), "PERMISSION_DENIED"),
        (gateway.client(), "NOT_FOUND"),
    ):
        assert [each["code"] for each in (await _say_yes(caller, agent))["errors"]] == [code]


async def test_a_grant_that_was_revoked_gives_no_yes(gateway: RunningGateway) -> None:
    owner = gateway.client()
    agent = await _asked(owner)
    await owner.ask(
        "mutation ($i: RevokeGrantInput!) { revokeGrant(input: $i) { errors { code } } }", {"i": {"id": agent.grant}}
    )
    assert (await _say_yes(owner, agent))["errors"][0]["code"] == "CONFLICT"
