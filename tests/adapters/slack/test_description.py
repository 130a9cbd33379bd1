"""Every request to Slack uses methods and parameters that Slack's own description knows."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from adapters._kit.http import CannedTransport, Incoming, Outgoing
from domain.json import JsonObject
from tests.adapters.slack.test_slack import run, slack
from tests.support.descriptions import Description

BASE_URL = "https://slack.com/api"
DESCRIPTION = Description.read(Path(__file__).with_name("description.json"))

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
]


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
    }
    return Incoming(200, {}, json.dumps(body).encode())


def posted(request: Outgoing) -> Incoming:
    """A yes to a message or a question for the account: there `channel` and `user` are plain ids."""
    body = {"ok": True, "channel": "C001", "ts": "1.2", "team": "Harbour Works", "team_id": "T001"}
    return Incoming(200, {}, json.dumps({**body, "url": "u", "user": "mandate", "user_id": "U001"}).encode())


def as_described(request: Outgoing) -> Outgoing:
    """The request as the description lists it: reading methods as GET with a query."""
    if f"POST {request.url.removeprefix(BASE_URL)}" in DESCRIPTION.routes():
        return request
    query = f"?{request.body.decode()}" if request.body else ""
    return replace(request, method="GET", url=request.url + query, body=None)


def mistakes(transport: CannedTransport) -> list[str]:
    sent = transport.requests
    assert sent
    return [wrong for each in sent for wrong in DESCRIPTION.mistakes(as_described(each), BASE_URL)]


@pytest.mark.parametrize(("name", "parameters"), CALLS)
async def test_slack_describes_what_an_action_sends(name: str, parameters: JsonObject) -> None:
    is_plain = name in ("get_account", "send_message", "update_message")
    integration, transport = slack(posted if is_plain else anything)
    await run(integration, name, **parameters)
    assert mistakes(transport) == []


def test_every_action_is_held_against_the_description() -> None:
    integration, _ = slack(anything)
    assert {f"slack.{name}" for name, _ in CALLS} == set(integration.actions)
