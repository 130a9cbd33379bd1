"""Who may do what: roles, grants, levels, patterns, switches, and several accounts. Every no names its rule."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.callers import PERMISSIONS, Role
from domain.json import Json
from tests.flows.ageing import Ageing
from tests.support.gateways import (
    CREATE_GRANT,
    Client,
    Connected,
    GrantedAgent,
    RunningGateway,
    agent_with_grant,
    connected,
)

ISSUE = {"owner": "lin-harbour", "repo": "lighthouse", "title": "Fog"}
REPO = {"owner": "lin-harbour", "repo": "lighthouse"}
REFUSALS = '{ auditEvents(first: 1, types: ["execution.refused"]) { nodes { reason actor action error } } }'


@pytest.fixture
def owner(gateway: RunningGateway) -> Client:
    return gateway.client()


@pytest.fixture
async def account(owner: Client) -> Connected:
    return await connected(owner)


async def _refused(client: Client, action: str, parameters: Json, **more: Json) -> Any:
    """The one error of an execution that was not admitted."""
    done = await client.execute(action, parameters, **more)
    assert done["execution"] is None, done
    [error] = done["errors"]
    return error


async def _succeeded(client: Client, action: str, parameters: Json, **more: Json) -> None:
    done = await client.execute(action, parameters, **more)
    assert done["errors"] == [], done
    assert done["execution"]["status"] == "SUCCEEDED", done


# -------------------------------------------------------------------------------------------------- roles

_OPERATIONS = {
    "agents": "{ agents { totalCount } }",
    "connections": "{ connections { totalCount } }",
    "auditEvents": "{ auditEvents { nodes { id } } }",
    "connect": 'mutation { connect(input: {integration: "github"}) { errors { __typename code } } }',
    "createAgent": 'mutation { createAgent(input: {name: "a"}) { errors { __typename code } } }',
    "setIntegrationEnabled": (
        'mutation { setIntegrationEnabled(input: {slug: "github", isEnabled: true}) { errors { __typename code } } }'
    ),
    "execute": (
        'mutation { execute(input: {action: "github.get_account", parameters: {}}) { errors { __typename code } } }'
    ),
}


@pytest.mark.parametrize("operation", _OPERATIONS)
@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMIN, Role.MEMBER, Role.AUDITOR])
async def test_each_role_may_do_what_it_may_and_nothing_else(
    gateway: RunningGateway, role: Role, operation: str
) -> None:
    answer = await gateway.client(role).answer(_OPERATIONS[operation])
    told = [error["extensions"]["code"] for error in answer.get("errors", [])]
    if answer.get("data") and "errors" in (answer["data"][operation] or {}):
        told = [error["code"] for error in answer["data"][operation]["errors"]]
    assert ("PERMISSION_DENIED" in told) is (role not in PERMISSIONS[operation]), answer


async def test_the_viewer_is_told_its_own_permissions_and_they_are_true(gateway: RunningGateway) -> None:
    told = (await gateway.client(Role.MEMBER).ask("{ viewer { roles permissions } }"))["viewer"]
    assert told["roles"] == ["member"]
    assert "connect" in told["permissions"]
    assert not {"execute", "createGrant", "disconnect", "auditEvents"} & set(told["permissions"])


@pytest.mark.parametrize(
    "mutation",
    [
        'connect(input: {integration: "github"})',
        'createAgent(input: {name: "more"})',
        'createAgentToken(input: {agent: "agt_0"})',
        'createGrant(input: {agent: "agt_0", connection: "con_0"})',
        'updateGrant(input: {id: "grt_0", permissionLevel: FULL})',
        'disconnect(input: {id: "con_0"})',
        'setAgentFrozen(input: {id: "agt_0", isFrozen: false})',
        'setIntegrationEnabled(input: {slug: "github", isEnabled: false})',
    ],
)
async def test_an_agent_never_connects_grants_or_frees(owner: Client, account: Connected, mutation: str) -> None:
    agent = await agent_with_grant(owner, account.id, "FULL")
    real = mutation.replace("agt_0", agent.agent).replace("con_0", account.id).replace("grt_0", agent.grant)
    answer = await agent.client.ask(f"mutation {{ {real} {{ errors {{ __typename code }} }} }}")
    [payload] = answer.values()
    assert payload["errors"] == [{"__typename": "PermissionDenied", "code": "PERMISSION_DENIED"}]


# ------------------------------------------------------------------------------------------------- grants


async def test_without_a_grant_nothing_is_allowed(owner: Client, account: Connected) -> None:
    agent = await agent_with_grant(owner, account.id)
    await _revoke(owner, agent)
    error = await _refused(agent.client, "github.get_repo", REPO)
    assert (error["__typename"], error["reason"]) == ("PermissionDenied", "grant_in_force")
    assert [check["isPassed"] for check in error["checks"]] == [True, True, False]


async def test_an_agent_that_never_had_a_grant_is_told_so(owner: Client, account: Connected) -> None:
    first = await agent_with_grant(owner, account.id)
    await _revoke(owner, first)
    fresh = await agent_with_grant(owner, (await connected(owner, account="sam-quay")).id)
    error = await _refused(fresh.client, "github.get_repo", REPO, connection=account.id)
    assert (error["reason"], error["message"]) == (
        "grant_exists",
        "The agent holds no grant on a GitHub connection. An admin can give it one.",
    )


async def test_a_new_grant_reads_only(owner: Client, account: Connected) -> None:
    agent = await agent_with_grant(owner, account.id)
    await _revoke(owner, agent)
    made = await owner.ask(CREATE_GRANT, {"input": {"agent": agent.agent, "connection": account.id}})
    assert made["createGrant"]["errors"] == []
    await _succeeded(agent.client, "github.get_repo", REPO)
    error = await _refused(agent.client, "github.create_issue", ISSUE)
    assert (error["reason"], error["message"]) == (
        "grant_level",
        "github.create_issue needs READ_WRITE; the grant gives READ_ONLY.",
    )


async def test_a_destructive_action_needs_the_full_level(owner: Client, account: Connected) -> None:
    query = '{ integration(slug: "github") { actions(effect: DESTRUCTIVE, first: 1) { nodes { slug } } } }'
    destructive = (await owner.ask(query))["integration"]["actions"]["nodes"]
    if not destructive:
        pytest.fail("GitHub has no destructive action to try; choose another integration")
    agent = await agent_with_grant(owner, account.id)
    why = "query ($slug: String!) { action(slug: $slug) { viewerCanExecute viewerCannotExecuteReason } }"
    told = (await agent.client.ask(why, {"slug": destructive[0]["slug"]}))["action"]
    assert told["viewerCanExecute"] is False
    assert "needs FULL; the grant gives READ_WRITE" in told["viewerCannotExecuteReason"]


@pytest.mark.parametrize(
    ("actions", "is_allowed"),
    [
        (["github.create_issue"], True),
        (["github.*"], True),
        (["github.get_repo", "github.create_issue"], True),
        (["github.get_repo"], False),
        (["github.list_issues", "github.get_issue"], False),
    ],
)
async def test_a_grant_allows_what_it_names(
    owner: Client, account: Connected, actions: list[str], is_allowed: bool
) -> None:
    agent = await agent_with_grant(owner, account.id, actions=actions)
    if is_allowed:
        await _succeeded(agent.client, "github.create_issue", ISSUE)
    else:
        assert (await _refused(agent.client, "github.create_issue", ISSUE))["reason"] == "grant_names_action"


@pytest.mark.parametrize("pattern", ["*", "git*", "github.create_*", "slack.*", "github.", ".*", "github.nothing", ""])
async def test_a_pattern_that_means_nothing_is_refused_when_the_grant_is_made(
    owner: Client, account: Connected, pattern: str
) -> None:
    agent = await agent_with_grant(owner, account.id)
    await _revoke(owner, agent)
    wanted: Json = {"agent": agent.agent, "connection": account.id, "allowedActions": ["github.*", pattern]}
    made = (await owner.ask(CREATE_GRANT, {"input": wanted}))["createGrant"]
    assert made["grant"] is None
    [error] = made["errors"]
    assert (error["code"], error["path"]) == ("INVALID_INPUT", ["input", "allowedActions", "1"])


async def test_a_revoked_grant_stops_with_the_next_execution(owner: Client, account: Connected) -> None:
    agent = await agent_with_grant(owner, account.id)
    await _succeeded(agent.client, "github.create_issue", ISSUE)
    await _revoke(owner, agent)
    error = await _refused(agent.client, "github.create_issue", ISSUE)
    assert (error["reason"], error["message"]) == ("grant_in_force", "The grant has been revoked.")
    await _revoke(owner, agent)  # twice is the same as once
    update = (
        "mutation ($id: ID!) { updateGrant(input: {id: $id, permissionLevel: FULL}) { grant { id } errors { code } } }"
    )
    changed = (await owner.ask(update, {"id": agent.grant}))["updateGrant"]
    assert changed == {"grant": None, "errors": [{"code": "CONFLICT"}]}


async def test_an_expired_grant_is_refused(owner: Client, account: Connected, database: Ageing) -> None:
    agent = await agent_with_grant(owner, account.id)
    await database.age_grant(agent.grant)
    error = await _refused(agent.client, "github.create_issue", ISSUE)
    assert (error["reason"], error["message"]) == ("grant_in_force", "The grant has expired.")


async def test_a_grant_cannot_begin_expired(owner: Client, account: Connected) -> None:
    agent = await agent_with_grant(owner, account.id)
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    wanted: Json = {"agent": agent.agent, "connection": account.id, "expiresAt": past}
    made = (await owner.ask(CREATE_GRANT, {"input": wanted}))["createGrant"]
    assert [(error["code"], error["path"]) for error in made["errors"]] == [("INVALID_INPUT", ["input", "expiresAt"])]


async def test_a_second_grant_on_the_same_connection_is_a_conflict(owner: Client, account: Connected) -> None:
    agent = await agent_with_grant(owner, account.id)
    made = await owner.ask(CREATE_GRANT, {"input": {"agent": agent.agent, "connection": account.id}})
    assert made["createGrant"]["grant"] is None
    assert made["createGrant"]["errors"][0]["code"] == "CONFLICT"


async def test_lowering_a_grant_holds_from_the_next_execution_on(owner: Client, account: Connected) -> None:
    agent = await agent_with_grant(owner, account.id)
    await _succeeded(agent.client, "github.create_issue", ISSUE)
    update = """mutation ($id: ID!) {
      updateGrant(input: {id: $id, permissionLevel: READ_ONLY}) { grant { permissionLevel } errors { code } }
    }"""
    changed = (await owner.ask(update, {"id": agent.grant}))["updateGrant"]
    assert changed == {"grant": {"permissionLevel": "READ_ONLY"}, "errors": []}
    assert (await _refused(agent.client, "github.create_issue", ISSUE))["reason"] == "grant_level"


# --------------------------------------------------------------------------------- frozen and switched off


async def test_a_frozen_agent_does_nothing_until_it_is_freed(owner: Client, account: Connected) -> None:
    agent = await agent_with_grant(owner, account.id)
    freeze = """mutation ($id: ID!, $is: Boolean!) {
      setAgentFrozen(input: {id: $id, isFrozen: $is}) { agent { status } errors { code } }
    }"""
    frozen = (await owner.ask(freeze, {"id": agent.agent, "is": True}))["setAgentFrozen"]
    assert frozen == {"agent": {"status": "FROZEN"}, "errors": []}
    error = await _refused(agent.client, "github.get_repo", REPO)
    assert (error["reason"], error["message"]) == (
        "agent_active",
        "The agent is frozen. A person must unfreeze it.",
    )
    await owner.ask(freeze, {"id": agent.agent, "is": False})
    await _succeeded(agent.client, "github.get_repo", REPO)


async def test_an_integration_that_is_switched_off_is_refused_to_agents_and_people(
    owner: Client, account: Connected
) -> None:
    agent = await agent_with_grant(owner, account.id)
    switch = """mutation ($is: Boolean!) {
      setIntegrationEnabled(input: {slug: "github", isEnabled: $is}) { integration { isEnabled } errors { code } }
    }"""
    await owner.ask(switch, {"is": False})
    for client in (agent.client, owner):
        assert (await _refused(client, "github.get_repo", REPO))["reason"] == "integration_enabled"
    begun = await owner.ask('mutation { connect(input: {integration: "github"}) { session { id } errors { code } } }')
    assert begun["connect"] == {"session": None, "errors": [{"code": "CONFLICT"}]}
    await owner.ask(switch, {"is": True})
    await _succeeded(agent.client, "github.get_repo", REPO)


# --------------------------------------------------------------------------------------- which connection


async def test_without_a_connection_a_person_is_asked_to_connect(owner: Client) -> None:
    error = await _refused(owner, "github.get_repo", REPO)
    assert (error["__typename"], error["code"]) == ("ConnectionRequired", "CONNECTION_REQUIRED")
    assert error["integration"] == {"slug": "github"}
    assert error["connection"] is None


async def test_with_two_candidates_no_account_is_guessed(owner: Client, account: Connected) -> None:
    second = await connected(owner, account="sam-quay")
    assert second.id != account.id
    agent = await agent_with_grant(owner, account.id)
    await owner.ask(CREATE_GRANT, {"input": {"agent": agent.agent, "connection": second.id}})
    error = await _refused(agent.client, "github.get_repo", REPO)
    assert error["__typename"] == "ConnectionRequired"
    assert error["message"].startswith("2 GitHub accounts could be used. Name one in `connection`")
    await _succeeded(agent.client, "github.get_repo", REPO, connection=second.id)


async def test_with_two_connections_the_only_granted_one_is_used(owner: Client, account: Connected) -> None:
    await connected(owner, account="sam-quay")
    agent = await agent_with_grant(owner, account.id)
    done = await agent.client.execute("github.get_account", {})
    assert done["execution"]["result"]["login"] == account.label


async def test_an_account_that_lacks_a_scope_is_sent_to_reconnect(owner: Client) -> None:
    wish: Json = {"integration": "github", "credentials": {"token": "ghp_sandbox_lin_read_only"}}
    query = "mutation ($input: ConnectInput!) { connect(input: $input) { connection { id } errors { code } } }"
    account = (await owner.ask(query, {"input": wish}))["connect"]["connection"]["id"]
    agent = await agent_with_grant(owner, account)
    error = await _refused(agent.client, "github.create_issue", ISSUE)
    assert error["__typename"] == "ConnectionRequired"
    assert error["missingScopes"] == ["repo"]
    assert error["connection"] == {"id": account}


# ------------------------------------------------------------------------------------------------ history


async def test_every_refusal_is_in_history_with_its_rule(owner: Client, account: Connected) -> None:
    agent = await agent_with_grant(owner, account.id, "READ_ONLY")
    await _refused(agent.client, "github.create_issue", ISSUE)
    [event] = (await owner.ask(REFUSALS))["auditEvents"]["nodes"]
    assert event["reason"] == "grant_level"
    assert event["action"] == "github.create_issue"
    assert event["actor"] == "agent:" + agent.agent.removeprefix("agt_")
    assert event["error"] == "PERMISSION_DENIED"


async def test_what_cannot_be_executed_is_known_beforehand_in_the_same_words(owner: Client, account: Connected) -> None:
    agent = await agent_with_grant(owner, account.id, "READ_ONLY")
    query = '{ action(slug: "github.create_issue") { viewerCanExecute viewerCannotExecuteReason } }'
    told = (await agent.client.ask(query))["action"]
    error = await _refused(agent.client, "github.create_issue", ISSUE)
    assert told == {"viewerCanExecute": False, "viewerCannotExecuteReason": error["message"]}


async def _revoke(owner: Client, agent: GrantedAgent) -> None:
    query = "mutation ($id: ID!) { revokeGrant(input: {id: $id}) { grant { status } errors { code } } }"
    ended = (await owner.ask(query, {"id": agent.grant}))["revokeGrant"]
    assert ended == {"grant": {"status": "REVOKED"}, "errors": []}
