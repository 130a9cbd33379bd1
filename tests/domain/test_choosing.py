"""`choose`, as a table and by property: the one place that decides what an agent may do."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.catalogue import Effect
from domain.connections import USABLE, ConnectionStatus
from domain.errors import ConnectionRequired, NotFound, PermissionDenied
from domain.grants import (
    Candidate,
    Decision,
    GrantStatus,
    PermissionLevel,
    Permit,
    Refused,
    Standing,
    allows,
    choose,
)
from domain.ids import new_id
from tests.support.nouns import (
    ACTIONS,
    EARLIER,
    LATER,
    LOOK,
    MOOR,
    NOW,
    SINK,
    SampleAction,
    SampleIntegration,
    candidate,
    grant,
    standing,
)

HARBOUR = SampleIntegration()
READ, WRITE, FULL = PermissionLevel.READ_ONLY, PermissionLevel.READ_WRITE, PermissionLevel.FULL


def decide(facts: Standing, action: SampleAction = LOOK) -> Decision:
    return choose(facts, HARBOUR, action, None, NOW)


def refused(facts: Standing, action: SampleAction = LOOK) -> Refused:
    decision = decide(facts, action)
    assert isinstance(decision, Refused)
    return decision


REFUSALS: list[tuple[str, Standing, SampleAction, str, type[Exception]]] = [
    ("frozen", standing(candidate(), is_frozen=True), LOOK, "agent_active", PermissionDenied),
    ("switched off", standing(candidate(), is_enabled=False), LOOK, "integration_enabled", PermissionDenied),
    ("nothing connected", standing(), LOOK, "connected", ConnectionRequired),
    ("no grant", standing(candidate(level=None)), LOOK, "grant_exists", PermissionDenied),
    ("revoked", standing(candidate(revoked_at=EARLIER)), LOOK, "grant_in_force", PermissionDenied),
    ("expired", standing(candidate(expires_at=EARLIER)), LOOK, "grant_in_force", PermissionDenied),
    ("expires now", standing(candidate(expires_at=NOW)), LOOK, "grant_in_force", PermissionDenied),
    ("another action", standing(candidate(allowed=("harbour.moor",))), LOOK, "grant_names_action", PermissionDenied),
    ("another family", standing(candidate(allowed=("harbours.*",))), LOOK, "grant_names_action", PermissionDenied),
    ("only its beginning", standing(candidate(allowed=("harbour.loo",))), LOOK, "grant_names_action", PermissionDenied),
    ("a bare star", standing(candidate(allowed=("*",))), LOOK, "grant_names_action", PermissionDenied),
    ("reading only", standing(candidate(level=READ)), MOOR, "grant_level", PermissionDenied),
    ("no destruction", standing(candidate(level=WRITE)), SINK, "grant_level", PermissionDenied),
    (
        "named, too low",
        standing(candidate(level=READ, allowed=("harbour.moor",))),
        MOOR,
        "grant_level",
        PermissionDenied,
    ),
    ("expired account", standing(candidate(ConnectionStatus.EXPIRED)), LOOK, "connection_usable", ConnectionRequired),
    ("disconnected", standing(candidate(ConnectionStatus.REVOKED)), LOOK, "connection_usable", ConnectionRequired),
    ("no scopes", standing(candidate(scopes=())), LOOK, "scopes_granted", ConnectionRequired),
    ("narrow scope", standing(candidate(scopes=("berths:read",))), MOOR, "scopes_granted", ConnectionRequired),
    ("two accounts", standing(candidate(), candidate()), LOOK, "one_account", ConnectionRequired),
    (
        "two defaults",
        standing(candidate(is_default=True), candidate(is_default=True)),
        LOOK,
        "one_account",
        ConnectionRequired,
    ),
    ("a person, two", standing(candidate(), candidate(), is_agent=False), LOOK, "one_account", ConnectionRequired),
]


@pytest.mark.parametrize(
    ("facts", "action", "reason", "kind"), [row[1:] for row in REFUSALS], ids=[r[0] for r in REFUSALS]
)
def test_a_refusal_names_the_rule_that_decided(
    facts: Standing, action: SampleAction, reason: str, kind: type[Exception]
) -> None:
    decision = refused(facts, action)
    assert (decision.reason, type(decision.refusal)) == (reason, kind)


PERMITS: list[tuple[str, Standing, SampleAction]] = [
    ("reading", standing(candidate(level=READ)), LOOK),
    ("writing", standing(candidate(level=WRITE)), MOOR),
    ("writing includes reading", standing(candidate(level=WRITE)), LOOK),
    ("everything", standing(candidate(level=FULL)), SINK),
    ("by name", standing(candidate(allowed=("harbour.moor", "harbour.look"))), LOOK),
    ("by family", standing(candidate(allowed=("harbour.*",))), LOOK),
    ("before it expires", standing(candidate(expires_at=LATER)), LOOK),
    ("degraded is tried", standing(candidate(ConnectionStatus.DEGRADED)), LOOK),
    ("unknown scopes are tried", standing(candidate(scopes=None)), SINK),
    ("the exact scope", standing(candidate(scopes=("berths:read",))), LOOK),
    ("a person without a grant", standing(candidate(level=None), is_agent=False), SINK),
]


@pytest.mark.parametrize(("facts", "action"), [row[1:] for row in PERMITS], ids=[row[0] for row in PERMITS])
def test_what_is_allowed(facts: Standing, action: SampleAction) -> None:
    decision = decide(facts, action)
    assert isinstance(decision, Permit)
    assert all(check.is_passed for check in decision.checks)


def test_an_account_that_is_asked_for_is_the_one_that_is_used() -> None:
    facts = standing(candidate(is_default=True), wanted := candidate())
    decision = choose(facts, HARBOUR, LOOK, wanted.connection.id, NOW)
    assert isinstance(decision, Permit)
    assert decision.connection is wanted.connection


def test_an_account_that_is_not_there_is_not_replaced_by_another() -> None:
    decision = choose(standing(candidate()), HARBOUR, LOOK, new_id(), NOW)
    assert isinstance(decision, Refused)
    assert isinstance(decision.refusal, NotFound)
    assert (decision.reason, decision.refusal.path) == ("connection_known", ("input", "connection"))


def test_an_account_that_is_asked_for_and_refused_is_not_replaced_by_another() -> None:
    facts = standing(wanted := candidate(level=None), candidate())
    decision = choose(facts, HARBOUR, LOOK, wanted.connection.id, NOW)
    assert isinstance(decision, Refused)
    assert decision.reason == "grant_exists"


def test_the_default_wins_among_several() -> None:
    decision = decide(standing(candidate(), marked := candidate(is_default=True), candidate()))
    assert isinstance(decision, Permit)
    assert decision.connection is marked.connection


def test_a_default_that_cannot_be_used_does_not_stand_in_the_way_of_the_only_other() -> None:
    decision = decide(standing(candidate(level=None, is_default=True), other := candidate()))
    assert isinstance(decision, Permit)
    assert decision.connection is other.connection


def test_a_default_that_cannot_be_used_is_no_help_in_choosing_between_others() -> None:
    assert refused(standing(candidate(level=None, is_default=True), candidate(), candidate())).reason == "one_account"


def test_of_several_refusals_the_one_that_came_furthest_is_told() -> None:
    facts = standing(candidate(level=None), candidate(scopes=()), candidate(expires_at=EARLIER))
    assert refused(facts).reason == "scopes_granted"


def test_a_missing_scope_is_named_with_the_connection_to_renew() -> None:
    facts = standing(poor := candidate(scopes=("berths:read",)))
    refusal = refused(facts, MOOR).refusal
    assert isinstance(refusal, ConnectionRequired)
    assert refusal.missing_scopes == ("berths:write",)
    assert refusal.connection_id == poor.connection.id
    assert refusal.integration == "harbour"


def test_a_denied_level_is_told_in_the_words_of_the_contract() -> None:
    refusal = refused(standing(candidate(level=READ)), SINK).refusal
    assert refusal.message == "harbour.sink needs FULL; the grant gives READ_ONLY."


def test_a_revoked_grant_that_has_also_expired_is_called_revoked() -> None:
    held = grant(candidate().connection, expires_at=EARLIER, revoked_at=EARLIER)
    assert held.status(NOW) is GrantStatus.REVOKED
    assert allows(held, LOOK, NOW).message == "The grant has been revoked."


def test_a_check_on_a_grant_names_the_grant() -> None:
    facts = standing(held := candidate(level=READ))
    assert held.grant is not None
    assert refused(facts, MOOR).checks[-1].grant_id == held.grant.id


# ------------------------------------------------------------------------------------------------ properties

patterns = st.lists(
    st.sampled_from(["harbour.*", "harbour.look", "harbour.moor", "harbour.sink", "github.*", "*", ""]), max_size=3
).map(tuple)
moments = st.sampled_from([None, EARLIER, NOW, LATER])
scopes = st.sampled_from([None, (), ("berths",), ("berths:read",), ("berths:write",)])
candidates = st.builds(
    candidate,
    st.sampled_from(ConnectionStatus),
    scopes,
    st.one_of(st.none(), st.sampled_from(PermissionLevel)),
    patterns,
    is_default=st.booleans(),
    expires_at=moments,
    revoked_at=moments,
)
standings = st.builds(
    lambda found, is_agent, is_frozen, is_enabled: standing(
        *found, is_agent=is_agent, is_frozen=is_agent and is_frozen, is_enabled=is_enabled
    ),
    st.lists(candidates, max_size=4),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
actions = st.sampled_from(ACTIONS)


def is_fit(facts: Standing, each: Candidate, action: SampleAction) -> bool:
    """The rules once more, written as a person would check them by hand."""
    held, account = each.grant, each.connection
    if facts.is_agent and (
        held is None
        or held.revoked_at is not None
        or (held.expires_at is not None and held.expires_at <= NOW)
        or int(held.permission_level) < int(action.effect)
        or not (
            held.allowed_actions == () or action.slug in held.allowed_actions or "harbour.*" in held.allowed_actions
        )
    ):
        return False
    granted = account.granted_scopes
    has_scopes = granted is None or "berths" in granted or set(action.required_scopes) <= set(granted)
    return account.status in USABLE and has_scopes


@given(standings, actions)
def test_what_is_permitted_is_exactly_what_the_rules_allow(facts: Standing, action: SampleAction) -> None:
    fit = [each for each in facts.candidates if is_fit(facts, each, action)]
    marked = [each for each in fit if each.connection.is_default]
    sure = fit if len(fit) == 1 else marked if len(marked) == 1 else []
    may_act = facts.is_integration_enabled and not (facts.is_agent and facts.is_agent_frozen)
    decision = decide(facts, action)
    if may_act and sure:
        assert isinstance(decision, Permit)
        assert (decision.connection, decision.grant) == (sure[0].connection, sure[0].grant)
    else:
        assert isinstance(decision, Refused)


@given(standings, actions)
def test_an_agent_is_never_permitted_without_a_grant(facts: Standing, action: SampleAction) -> None:
    bare = replace(
        facts, is_agent=True, candidates=tuple(Candidate(each.connection, None) for each in facts.candidates)
    )
    assert isinstance(decide(bare, action), Refused)


@given(standings, actions)
def test_a_frozen_agent_is_never_permitted(facts: Standing, action: SampleAction) -> None:
    decision = refused(replace(facts, is_agent=True, is_agent_frozen=True), action)
    assert decision.reason == "agent_active"


@given(standings, actions)
def test_every_refusal_ends_with_the_check_that_failed_and_every_other_passed(
    facts: Standing, action: SampleAction
) -> None:
    decision = decide(facts, action)
    *before, last = decision.checks
    assert all(check.is_passed for check in before)
    assert last.is_passed is isinstance(decision, Permit)
    if isinstance(decision, Refused):
        assert last.name == decision.reason
        assert last.message == decision.refusal.message
    if isinstance(decision, Refused) and isinstance(decision.refusal, PermissionDenied):
        assert (decision.refusal.reason, decision.refusal.checks) == (decision.reason, decision.checks)


@given(standings, actions)
def test_the_order_of_candidates_never_decides_who_is_used(facts: Standing, action: SampleAction) -> None:
    turned = replace(facts, candidates=facts.candidates[::-1])
    one, other = decide(facts, action), decide(turned, action)
    assert type(one) is type(other)
    if isinstance(one, Permit) and isinstance(other, Permit):
        assert one.connection == other.connection


@given(standings, actions)
def test_a_grant_that_only_reads_never_permits_a_change(facts: Standing, action: SampleAction) -> None:
    if action.effect is Effect.READ or not isinstance(decide(facts, action), Permit) or not facts.is_agent:
        return
    lowered = [
        Candidate(each.connection, replace(each.grant, permission_level=READ) if each.grant else None)
        for each in facts.candidates
    ]
    assert isinstance(decide(replace(facts, candidates=tuple(lowered)), action), Refused)
