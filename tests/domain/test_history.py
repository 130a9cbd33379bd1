import base64
import contextlib
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.history import Event, Interest, cursor_of, matches, position_of
from tests.support.nouns import NOW

ONE, OTHER = UUID(int=1), UUID(int=2)
EVENT = Event(
    id=UUID(int=9),
    position=7,
    occurred_at=NOW,
    type="execution.succeeded",
    actor="agent:1",
    agent_id=ONE,
    integration="harbour",
    action="harbour.look",
    connection_id=ONE,
    execution_id=ONE,
    session_id=ONE,
)


@given(st.integers(0, 10**18 - 1))
def test_a_cursor_is_read_back(position: int) -> None:
    cursor = cursor_of(position)
    assert "=" not in cursor
    assert position_of(cursor) == position


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "!!!!",
        "ü",
        "7",
        encoded("h:"),
        encoded("h:-1"),
        encoded("h:1.5"),
        encoded("h:٣"),
        encoded("h:²"),
        encoded("h: 1"),
        encoded("e:1"),
        encoded("1"),
        encoded("h:" + "9" * 19),
        encoded("h:1\0"),
        base64.urlsafe_b64encode(b"h:\xff").decode(),
        cursor_of(1) + "\n",
        "a" * 10_001,
    ],
)
def test_what_is_not_a_cursor_is_an_input_error_that_names_the_field(cursor: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        position_of(cursor, "after")
    assert refused.value.path == ("after",)
    assert refused.value.message == "This is not a cursor of the history. Use one you were given, or none."


@given(st.text())
def test_no_text_breaks_the_cursor_reader(text: str) -> None:
    with contextlib.suppress(InvalidInput):
        assert 0 <= position_of(text) < 10**18


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("github.*", "github.create_issue", True),
        ("github.*", "github.", True),
        ("github.*", "github", False),
        ("github.*", "githubs.x", False),
        ("github.create_issue", "github.create_issue", True),
        ("github.create_issue", "github.create_issues", False),
        ("github.create*", "github.create_issue", False),
        ("*", "github.create_issue", False),
        (".*", "github.create_issue", False),
        ("", "", True),
    ],
)
def test_a_pattern_is_a_family_or_one_name(pattern: str, name: str, *, fits: bool) -> None:
    assert matches(pattern, name) is fits


WANTED = [
    Interest(),
    Interest(types=("execution.succeeded",)),
    Interest(types=("connection.*", "execution.*")),
    Interest(agent_id=ONE),
    Interest(integration="harbour"),
    Interest(action="harbour.look"),
    Interest(connection_id=ONE),
    Interest(execution_id=ONE),
    Interest(session_id=ONE),
    Interest(since=NOW),
    Interest(until=NOW + timedelta(microseconds=1)),
    Interest(types=("execution.*",), agent_id=ONE, integration="harbour", since=NOW),
]
UNWANTED = [
    Interest(types=()),
    Interest(types=("execution.failed", "connection.*")),
    Interest(agent_id=OTHER),
    Interest(integration="github"),
    Interest(action="harbour.moor"),
    Interest(connection_id=OTHER),
    Interest(execution_id=OTHER),
    Interest(session_id=OTHER),
    Interest(since=NOW + timedelta(microseconds=1)),
    Interest(until=NOW),
    Interest(types=("execution.*",), agent_id=OTHER),
]


@pytest.mark.parametrize("interest", WANTED)
def test_an_event_is_wanted_when_every_question_is_answered_with_yes(interest: Interest) -> None:
    assert interest.wants(EVENT)


@pytest.mark.parametrize("interest", UNWANTED)
def test_one_no_is_enough(interest: Interest) -> None:
    assert not interest.wants(EVENT)


def test_an_event_about_nobody_is_not_an_event_about_somebody() -> None:
    assert not Interest(agent_id=ONE).wants(replace(EVENT, agent_id=None))
