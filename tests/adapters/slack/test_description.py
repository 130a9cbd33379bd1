"""Every request to Slack uses methods and parameters that Slack's own description knows."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from adapters._kit.http import CannedTransport, Incoming, Outgoing
from domain.json import JsonObject
from tests.adapters.slack.test_slack import run, slack
from tests.support.overheard import TwoSided

BASE_URL = "https://slack.com/api"
DESCRIPTION = TwoSided.read(Path(__file__).with_name("description.json"))

CALLS: list[tuple[str, JsonObject]] = [
    ("get_account", {}),
    ("send_message", {"channel": "C001", "text": "Hello", "thread_ts": "1.2", "reply_broadcast": True}),
    ("update_message", {"channel": "C001", "ts": "1.2", "text": "Hello!"}),
    ("list_channels", {"limit": 10}),
    ("get_channel_history", {"channel": "C001", "oldest": "1.2", "latest": "3.4"}),
    ("get_thread_replies", {"channel": "C001", "ts": "1.2", "oldest": "1.2", "latest": "3.4"}),
    ("create_channel", {"name": "tides"}),
    ("get_user_info", {"user": "U001"}),
    ("list_users", {}),
    ("add_reaction", {"channel": "C001", "ts": "1.2", "emoji": "tada"}),
    ("delete_message", {"channel": "C001", "ts": "1.2"}),
    ("schedule_message", {"channel": "C001", "text": "Later", "post_at": 1_900_000_000}),
    ("search_messages", {"query": "tide", "newest_first": True}),
    ("get_channel_info", {"channel": "C001"}),
    ("join_channel", {"channel": "C001"}),
    ("invite_to_channel", {"channel": "C001", "users": ["U001", "U002"]}),
    ("set_channel_topic", {"channel": "C001", "topic": "Tides"}),
    ("archive_channel", {"channel": "C001"}),
    ("open_dm", {"user": "U001"}),
    ("find_user_by_email", {"email": "ada@example.com"}),
    ("list_files", {"channel": "C001", "user": "U001"}),
    ("upload_file", {"filename": "a.txt", "content": "a", "channel": "C001", "thread_ts": "1.2", "comment": "See"}),
    ("get_upload_url", {"filename": "a.txt", "length": 1}),
    ("complete_upload", {"files": [{"id": "F001", "title": "A"}], "channel": "C001"}),
]


PLAIN = ("get_account", "send_message", "update_message", "delete_message", "schedule_message", "search_messages")


def anything(_: Outgoing) -> Incoming:
    """A yes that holds enough for every action."""
    body = {
        "ok": True,
        "channel": {"id": "C001", "name": "tides"},
        "user": {"id": "U001", "name": "ada"},
        "channels": [],
        "messages": [],
        "members": [],
        "response_metadata": {"next_cursor": ""},
        "files": [{"id": "F001"}],
        "upload_url": "https://files.slack.com/upload/v1/abc",
        "file_id": "F001",
    }
    return Incoming(200, {}, json.dumps(body).encode())


def posted(request: Outgoing) -> Incoming:
    """A yes to a message or a question for the account: there `channel` and `user` are plain ids."""
    body: JsonObject = {
        "ok": True,
        "channel": "C001",
        "ts": "1.2",
        "team": "Harbour Works",
        "team_id": "T001",
        "scheduled_message_id": "Q001",
        "post_at": 1_900_000_000,
        "messages": {"matches": []},
        "url": "u",
        "user": "mandate",
        "user_id": "U001",
    }
    return Incoming(200, {}, json.dumps(body).encode())


def as_described(request: Outgoing) -> Outgoing:
    """The request as the description lists it: reading methods as GET with a query."""
    if f"POST {request.url.removeprefix(BASE_URL)}" in DESCRIPTION.routes():
        return request
    query = f"?{request.body.decode()}" if request.body else ""
    return replace(request, method="GET", url=request.url + query, body=None)


def mistakes(transport: CannedTransport) -> list[str]:
    sent = [each for each in transport.requests if each.url.startswith(BASE_URL)]
    assert sent
    return [wrong for each in sent for wrong in DESCRIPTION.mistakes(as_described(each), BASE_URL)]


@pytest.mark.parametrize(("name", "parameters"), CALLS)
async def test_slack_describes_what_an_action_sends(name: str, parameters: JsonObject) -> None:
    is_plain = name in PLAIN
    integration, transport = slack(posted if is_plain else anything)
    await run(integration, name, **parameters)
    assert mistakes(transport) == []


def test_every_action_is_held_against_the_description() -> None:
    integration, _ = slack(anything)
    assert {f"slack.{name}" for name, _ in CALLS} == set(integration.actions)
