"""Linear's actions against its sandbox: what they do, what they refuse before asking, what they make of a no."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from adapters._kit.catalogue import load_one
from adapters._kit.http import CannedTransport, NotSent
from adapters._kit.integration import Override
from adapters.linear.sandbox_state import TOKEN_READING, id_of
from domain.catalogue import AuthScheme, CallSetting
from domain.errors import AnswerLost, Forbidden, ReconnectNeeded, Rejected, SlowDown, Unavailable
from domain.json import Json
from tests.adapters.linear.shop import practice
from tests.support.trials import Trial

ENG, JON = id_of("teams/ENG"), id_of("people/jon")
DONE = id_of("states/ENG/completed")
OFFLINE = load_one("linear", CannedTransport(lambda _: NotSent("connect_failed")), Override(), None)


def mistakes(name: str, /, **parameters: Json) -> list[str]:
    return [each.pointer for each in OFFLINE.actions[f"linear.{name}"].check(parameters)]


async def test_who_is_connected_is_a_person_in_a_workspace(linear: Trial) -> None:
    found = await linear.run("get_account")
    assert (found["email"], found["workspace"]) == ("lin@harbour.example", "Harbour Works")
    identity = await linear.integration.identify(linear.setting())
    assert (identity.account.id, identity.account.label) == (found["id"], found["email"])


async def test_teams_people_and_states_are_listed(linear: Trial) -> None:
    assert [each["key"] for each in await linear.run("list_teams")] == ["ENG", "OPS"]
    assert {each["name"]: each["active"] for each in await linear.run("list_users")}["Grace Moor"] is False
    states = await linear.run("list_states", team="ENG")
    assert {each["team"] for each in states} == {"ENG"}
    assert "completed" in {each["type"] for each in states}


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({}, {"ENG-1", "ENG-2", "ENG-3", "OPS-1"}),
        ({"team": "OPS"}, {"OPS-1"}),
        ({"team": "ENG", "state_types": ["unstarted", "started"]}, {"ENG-1", "ENG-2"}),
        ({"assignee_email": "jon@harbour.example"}, {"ENG-2"}),
        ({"updated_since": "2026-11-29T00:00:00+01:00"}, set()),
    ],
)
async def test_issues_are_listed_by_what_was_asked(linear: Trial, chosen: dict[str, Any], found: set[str]) -> None:
    assert {each["identifier"] for each in await linear.run("list_issues", **chosen)} == found


async def test_a_list_is_walked_to_its_end_and_no_further(linear: Trial) -> None:
    for number in range(120):
        await linear.run("create_issue", team_id=ENG, title=f"Buoy {number}")
    before = len(linear.requests)
    assert len(await linear.run("list_issues", team="ENG", limit=500)) == 123
    assert len(linear.requests) == before + 2
    assert len(await linear.run("list_issues", limit=7)) == 7


async def test_an_issue_is_written_found_changed_said_something_about_and_deleted(linear: Trial) -> None:
    made = await linear.run(
        "create_issue", team_id=ENG, title="Fog horn", description="Hoarse.", priority="high", due_date="2026-12-24"
    )
    assert (made["identifier"], made["priority"], made["state_type"]) == ("ENG-4", "High", "backlog")
    assert [each["id"] for each in await linear.run("search_issues", query="horn")] == [made["id"]]
    changed = await linear.run("update_issue", issue="ENG-4", state_id=DONE, assignee_id=JON)
    assert (changed["state"], changed["assignee"]["name"], changed["title"]) == ("Done", "Jon Reef", "Fog horn")
    await linear.run("comment_issue", issue="ENG-4", body="Oiled.")
    read = await linear.run("get_issue", issue="ENG-4")
    assert [(each["author"], each["body"]) for each in read["comments"]] == [("Lin Harbour", "Oiled.")]
    await linear.run("delete_issue", issue="ENG-4")
    with pytest.raises(Rejected):
        await linear.run("get_issue", issue="ENG-4")
    assert dict(await linear.effects()) == {"issueCreate": 1, "issueUpdate": 1, "commentCreate": 1, "issueDelete": 1}


async def test_an_issue_whose_answer_was_lost_is_found_again(linear: Trial) -> None:
    action, setting = linear.integration.actions["linear.create_issue"], linear.setting()
    wanted: dict[str, Json] = {"team_id": ENG, "title": "Lost at sea"}
    await linear.misbehave("lost_answer", "POST /graphql")
    with pytest.raises(AnswerLost):
        await linear.integration.run(action, wanted, setting)
    found = await linear.integration.probe(action, wanted, setting)
    assert found is not None
    assert found.has_happened
    assert isinstance(found.result, dict)
    assert found.result["title"] == "Lost at sea"
    later = CallSetting(setting.credential, None, True, uuid4(), datetime.now(UTC) + timedelta(seconds=9))
    assert await linear.integration.probe(action, wanted, later) is None


@pytest.mark.parametrize(
    ("kind", "problem"),
    [("401", ReconnectNeeded), ("429", SlowDown), ("422", Rejected), ("500", Unavailable), ("503", Unavailable)],
)
async def test_a_no_is_understood(linear: Trial, kind: str, problem: type[Exception]) -> None:
    await linear.misbehave(kind, "POST /graphql")
    with pytest.raises(problem):
        await linear.run("list_teams")


async def test_what_a_key_may_not_do_is_refused() -> None:
    async with practice(TOKEN_READING) as linear:
        assert await linear.run("list_teams")
        with pytest.raises(Forbidden):
            await linear.run("create_issue", team_id=ENG, title="Fog")


async def test_who_asks_too_often_is_told_so() -> None:
    async with practice(per_hour=1) as linear:
        await linear.run("list_teams")
        with pytest.raises(SlowDown):
            await linear.run("list_teams")


@pytest.mark.parametrize(
    ("name", "parameters", "pointers"),
    [
        ("create_issue", {"title": "x"}, ["/team_id"]),
        ("create_issue", {"team_id": "ENG", "title": "x"}, ["/team_id"]),
        ("create_issue", {"team_id": ENG, "title": ""}, ["/title"]),
        ("create_issue", {"team_id": ENG, "title": "x" * 501}, ["/title"]),
        ("create_issue", {"team_id": ENG, "title": "x", "priority": "now"}, ["/priority"]),
        ("create_issue", {"team_id": ENG, "title": "x", "due_date": "soon"}, ["/due_date"]),
        ("get_issue", {"issue": 'ENG-1") { id } }'}, ["/issue"]),
        ("get_issue", {"issue": "eng-1"}, ["/issue"]),
        ("list_issues", {"limit": 501}, ["/limit"]),
        ("list_issues", {"updated_since": "2026-11-29T00:00:00"}, ["/updated_since"]),
        ("list_issues", {"state_types": ["open"]}, ["/state_types/0"]),
        ("comment_issue", {"issue": "ENG-1", "body": ""}, ["/body"]),
        ("delete_issue", {"issue": "ENG-1", "for_good": True}, ["/for_good"]),
    ],
)
def test_bad_input_is_found_before_anything_is_sent(
    name: str, parameters: dict[str, Json], pointers: list[str]
) -> None:
    assert mistakes(name, **parameters) == pointers


def test_it_is_connected_by_oauth_with_the_least_or_by_key() -> None:
    assert OFFLINE.auth_schemes == (AuthScheme.OAUTH2, AuthScheme.API_KEY)
    assert OFFLINE.scopes_for([OFFLINE.actions["linear.create_issue"]]) == ("issues:create", "read")
    assert OFFLINE.scopes_for([OFFLINE.actions["linear.update_issue"]]) == ("write",)
    assert OFFLINE.is_usable_scope(("write",), "comments:create")
    assert OFFLINE.check_credentials({"key": "lin_api_0123456789abcdef"}) == ()
    assert OFFLINE.check_credentials({"key": "lin_oauth_0123456789abcdef"}) != ()
