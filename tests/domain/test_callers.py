from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.callers import PERMISSIONS, Caller, Role
from domain.errors import InvalidInput, PermissionDenied
from domain.json import canonical
from domain.pages import LARGEST_PAGE, page_size

PEOPLE_ONLY = {
    "connect",
    "testConnection",
    "disconnect",
    "createAgent",
    "createAgentToken",
    "revokeAgentToken",
    "setAgentFrozen",
    "createGrant",
    "updateGrant",
    "revokeGrant",
    "setIntegrationEnabled",
    "auditEvents",
    "connectionEvents",
    "connectSessionEvents",
}


def caller(*roles: Role) -> Caller:
    return Caller("acme", "ada", frozenset(roles))


@pytest.mark.parametrize("operation", sorted(PEOPLE_ONLY))
def test_an_agent_never_connects_grants_or_administers(operation: str) -> None:
    with pytest.raises(PermissionDenied) as refused:
        caller(Role.AGENT).require(operation)
    assert refused.value.reason == f"role:{operation}"


def test_an_auditor_reads_and_changes_nothing() -> None:
    allowed = {name for name in PERMISSIONS if caller(Role.AUDITOR).may(name)}
    changes = PEOPLE_ONLY - {"auditEvents", "connectionEvents", "connectSessionEvents"} | {"execute"}
    assert not allowed & changes


@pytest.mark.parametrize("role", Role)
def test_an_operation_nobody_declared_is_refused(role: Role) -> None:
    assert not caller(role).may("dropEverything")


@pytest.mark.parametrize("operation", PERMISSIONS)
def test_without_a_role_nothing_is_open(operation: str) -> None:
    with pytest.raises(PermissionDenied, match="no role"):
        caller().require(operation)


@given(st.sets(st.sampled_from(Role)), st.sampled_from(sorted(PERMISSIONS)))
def test_roles_add_up(roles: set[Role], operation: str) -> None:
    assert caller(*roles).may(operation) is any(caller(role).may(operation) for role in roles)


def test_history_names_an_agent_by_its_id_and_a_person_by_their_subject() -> None:
    agent = Caller("acme", "ignored", frozenset({Role.AGENT}), agent_id=UUID(int=10))
    assert agent.actor == "agent:0000000000000000000000000000000a"
    assert caller(Role.OWNER).actor == "user:ada"


@pytest.mark.parametrize("first", [1, 20, LARGEST_PAGE])
def test_a_page_has_1_to_100_items(first: int) -> None:
    assert page_size(first) == first


@pytest.mark.parametrize("first", [0, -1, LARGEST_PAGE + 1, 2**31])
def test_another_size_is_an_input_error(first: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        page_size(first)
    assert refused.value.path == ("first",)


def test_equal_json_has_equal_bytes_whatever_the_order_of_its_keys() -> None:
    assert canonical({"b": [1, None, "ü"], "a": {"d": 1, "c": 2}}) == '{"a":{"c":2,"d":1},"b":[1,null,"ü"]}'.encode()
    assert canonical({"a": 1, "b": 2}) == canonical({"b": 2, "a": 1})
    assert canonical([1, 2]) != canonical([2, 1])
