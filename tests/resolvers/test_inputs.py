"""What use cases accept: addresses to return to, scopes, names, patterns, moments."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import cast

import pytest

from domain.errors import InvalidInput
from resolvers.agents import in_utc
from resolvers.connections import ConnectRequest, _wish, allowed_redirect, least_scopes
from resolvers.grants import GrantChanges, _check_actions
from resolvers.services import Deployment, Services
from tests.support.nouns import ACTIONS, SampleIntegration

HARBOUR = SampleIntegration()


@dataclass(frozen=True)
class JustDeployment:
    """As much of the services as these need."""

    deployment: Deployment


def services(*allowed: str) -> Services:
    return cast(Services, JustDeployment(Deployment("1", "https://gateway.example", False, allowed)))


# ------------------------------------------------------------------------------------------------- redirects

LISTED = ("https://app.example/done", "http://localhost:3000/", "https://whole.example")
ALLOWED = [
    "https://app.example/done",
    "https://app.example/done/",
    "https://app.example/done/deeper",
    "https://app.example/done?x=1&y=2",
    "https://APP.example/done",
    "HTTPS://app.example/done",
    "http://localhost:3000/",
    "http://localhost:3000/anywhere",
    "http://localhost:3000",
    "https://whole.example",
    "https://whole.example/anywhere",
]
REFUSED = [
    "",
    "/done",
    "done",
    "//app.example/done",
    "http://app.example/done",
    "https://app.example",
    "https://app.example/",
    "https://app.example/donekey",
    "https://app.example/done.evil.example",
    "https://app.example/Done",
    "https://app.example/other",
    "https://app.example/done/../admin",
    "https://app.example/done/..",
    "https://app.example/done/%2e%2e/admin",
    "https://app.example/done%2f..",
    "https://app.example/done;x",
    "https://app.example//done",
    "https://app.example/done#fragment",
    "https://app.example:8443/done",
    "https://app.example:443/done",
    "https://app.example./done",
    "https://app.example.evil.example/done",
    "https://evil.example/https://app.example/done",
    "https://evil.example/?https://app.example/done",
    "https://app.example@evil.example/done",
    "https://user:pass@app.example/done",
    "https://evil.example\\@app.example/done",
    "https:\\\\app.example\\done",
    "https:/app.example/done",
    "https:app.example/done",
    "https://app.example/done\r\nset-cookie: a=b",
    "https://app.example/done\t",
    " https://app.example/done",
    "https://app.example/done ",
    "https://app.example/do ne",
    "https://\u0430pp.example/done",
    "https://app.example/d\u00f6ne",
    "https://[",
    "https://[app.example]/done",
    "https://[::1]:x/done",
    "javascript:alert(1)//app.example/done",
    "data:text/html,x",
    "https://app.example/done?" + "x" * 2_000,
    "http://localhost:3001/",
    "http://localhost:3000.evil.example/",
    "http://127.0.0.1:3000/",
    "https://whole.example:444/",
    "https://whole.examples/",
    "\x00https://app.example/done",
]


@pytest.mark.parametrize("uri", ALLOWED)
def test_a_listed_address_and_what_lies_below_it_may_be_returned_to(uri: str) -> None:
    assert allowed_redirect(services(*LISTED), uri) == uri


@pytest.mark.parametrize("uri", REFUSED)
def test_any_other_address_is_an_input_error_that_does_not_repeat_it(uri: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        allowed_redirect(services(*LISTED), uri)
    assert refused.value.path == ("input", "redirectUri")
    assert not uri or uri not in refused.value.message


def test_where_nothing_is_listed_nothing_is_allowed_and_nothing_is_needed() -> None:
    assert allowed_redirect(services(), None) is None
    with pytest.raises(InvalidInput):
        allowed_redirect(services(), "https://app.example/done")


# ---------------------------------------------------------------------------------------------------- scopes


def scopes(actions: list[str] | None = None, named: list[str] | None = None) -> tuple[str, ...]:
    return least_scopes(HARBOUR, ConnectRequest("harbour", actions=actions, scopes=named))


def test_without_a_wish_one_asks_for_what_reading_needs() -> None:
    assert scopes() == ("berths:read",)


def test_one_asks_for_the_least_that_the_named_actions_need() -> None:
    assert scopes(["harbour.moor", "harbour.sink"]) == ("berths:write",)
    assert scopes([]) == ()


def test_scopes_asked_for_by_name_come_along_once() -> None:
    assert scopes(["harbour.moor"], ["extra", "berths:write", "extra"]) == ("berths:write", "extra")
    assert scopes(None, ["extra"]) == ("extra",)


def test_an_action_that_is_none_is_named_by_its_place() -> None:
    with pytest.raises(InvalidInput) as refused:
        scopes(["harbour.moor", "harbour.fly"])
    assert refused.value.path == ("input", "actions", "1")


@pytest.mark.parametrize("named", [["a\nb"], ["a" * 201], ["a"] * 101, ["\x00"], ["\ud800"]])
def test_what_cannot_be_a_scope_is_an_input_error(named: list[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        scopes(None, named)
    assert refused.value.path == ("input", "scopes")


def test_a_scope_cannot_bring_a_second_one_along() -> None:
    assert scopes(None, ["read admin", "", "read"]) == ("read",)


# ----------------------------------------------------------------------------------------- names and patterns

WORDS: dict[str, Callable[[str], ConnectRequest]] = {
    "label": lambda text: ConnectRequest("harbour", label=text),
    "externalUserId": lambda text: ConnectRequest("harbour", external_user_id=text),
}


@pytest.mark.parametrize("name", WORDS)
@pytest.mark.parametrize("text", ["", "a" * 101, "a\nb", "\x00", "\ud800", "\u202e"])
def test_a_label_is_short_and_can_be_shown(name: str, text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        _wish(WORDS[name](text))
    assert refused.value.path == ("input", name)


@pytest.mark.parametrize("text", ["a", "Ada's work", "Größe", "日本", "a" * 100])
def test_people_may_write_as_they_do(text: str) -> None:
    assert _wish(ConnectRequest("harbour", label=text)).label == text


@pytest.mark.parametrize("patterns", [[], ["harbour.*"], [each.slug for each in ACTIONS]])
def test_names_that_mean_something_are_taken(patterns: list[str]) -> None:
    _check_actions(HARBOUR, patterns)


@pytest.mark.parametrize(
    "pattern",
    ["", "*", "harbour", "harbour.", "harbour.mo*", "harbour.fly", "github.*", "Harbour.*", "harbour.*\n", "a\x00b"],
)
def test_a_name_that_means_nothing_is_refused_with_an_example(pattern: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        _check_actions(HARBOUR, ["harbour.look", pattern])
    assert refused.value.path == ("input", "allowedActions", "1")
    assert "Write e.g. harbour.look, or harbour.*" in refused.value.message


def test_there_is_an_end_to_names() -> None:
    with pytest.raises(InvalidInput, match="At most 200"):
        _check_actions(HARBOUR, ["harbour.look"] * 201)


# --------------------------------------------------------------------------------------------------- moments


def test_a_moment_without_a_zone_is_meant_in_utc() -> None:
    naive = datetime(2030, 1, 1, 12)  # noqa: DTZ001 - as a caller may write it
    assert in_utc(naive) == datetime(2030, 1, 1, 12, tzinfo=UTC)
    assert in_utc(datetime(2030, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))) == datetime(2030, 1, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(("year", "month", "hours"), [(9999, 12, -1), (1, 1, 1)])
def test_a_moment_beyond_the_edge_of_time_is_an_input_error(year: int, month: int, hours: int) -> None:
    day, hour = (31, 23) if hours < 0 else (1, 0)
    with pytest.raises(InvalidInput):
        in_utc(datetime(year, month, day, hour, tzinfo=timezone(timedelta(hours=hours))))


def test_changes_name_only_what_is_to_change() -> None:
    assert GrantChanges().values() == {}
    assert GrantChanges(lifts_expiry=True).values() == {"expires_at": None}
    assert GrantChanges(allowed_actions=()).values() == {"allowed_actions": []}
    with pytest.raises(InvalidInput, match="lies in the past"):
        GrantChanges(expires_at=datetime(2000, 1, 1, tzinfo=UTC)).values()
