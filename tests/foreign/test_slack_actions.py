"""Slack's actions against emulate's Slack: consent, token, real HTTP, messages that are there afterwards."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

import httpx2
import pytest

from adapters._kit.catalogue import load
from adapters._kit.egress import Egress
from adapters._kit.http import HttpTransport
from adapters._kit.integration import Override
from domain.catalogue import AuthScheme, CallSetting, Credential, Integration
from domain.errors import AlreadyThere, NotThere, ScopeMissing
from domain.json import Json
from domain.secrets import Secret
from tests.support.emulate import SLACK, Emulate, consent, emulate

__all__ = ["emulate"]

CALLBACK = "http://127.0.0.1:9/slack"


@dataclass(frozen=True)
class Workspace:
    """emulate's workspace, reached through the integration."""

    integration: Integration
    emulate: Emulate

    async def token(self, *actions: str) -> str:
        """A bot token with the scopes that these actions need, given by `ada`."""
        chosen = [self.integration.actions[f"slack.{name}"] for name in actions]
        scope = ",".join(self.integration.scopes_for(chosen))
        self.emulate.allow_redirect(CALLBACK)
        query = {"client_id": SLACK.client_id, "redirect_uri": CALLBACK, "scope": scope, "state": "st-1"}
        location = await consent(f"{self.emulate.slack}/oauth/v2/authorize?{urlencode(query)}", "ada")
        code = parse_qs(urlsplit(location).query)["code"][0]
        async with httpx2.AsyncClient(auth=(SLACK.client_id, SLACK.client_secret)) as client:
            form = {"code": code, "redirect_uri": CALLBACK}
            answer = await client.post(f"{self.emulate.slack}/api/oauth.v2.access", data=form)
        token: str = answer.json()["access_token"]
        return token

    async def run(self, name: str, token: str, /, **parameters: Json) -> Json:
        """Run an action as a checked execution would."""
        action = self.integration.actions[f"slack.{name}"]
        assert action.check(parameters) == ()
        return await self.integration.run(action, parameters, setting(token))

    async def harbour(self, token: str) -> str:
        """The id of the channel `harbour`."""
        found = rows(await self.run("list_channels", token))
        return next(str(channel["id"]) for channel in found if channel["name"] == "harbour")


def setting(token: str) -> CallSetting:
    credential = Credential(AuthScheme.OAUTH2, {"access_token": Secret(token)}, {})
    deadline = datetime.now(UTC) + timedelta(seconds=30)
    return CallSetting(credential, None, is_sandbox=False, key=uuid4(), deadline_at=deadline)


def rows(found: Json) -> list[dict[str, Json]]:
    assert isinstance(found, list)
    return found


def row(found: Json) -> dict[str, Json]:
    assert isinstance(found, dict)
    return found


@pytest.fixture
async def workspace(emulate: Emulate) -> AsyncIterator[Workspace]:
    egress = Egress.allowing(networks=["127.0.0.0/8"], http=True)
    async with HttpTransport(egress, version="0") as transport:
        address = {"slack": Override(base_url=f"{emulate.slack}/api")}
        yield Workspace(load(transport, address, {}).integrations["slack"], emulate)


async def test_a_message_is_posted_changed_answered_and_read_again(workspace: Workspace) -> None:
    token = await workspace.token(
        "send_message", "update_message", "list_channels", "get_channel_history", "add_reaction"
    )
    channel, text = await workspace.harbour(token), f"Tide & time {uuid4().hex}"

    posted = row(await workspace.run("send_message", token, channel=channel, text=text))
    ts = posted["ts"]
    await workspace.run("send_message", token, channel=channel, text="Aye", thread_ts=ts)
    await workspace.run("update_message", token, channel=channel, ts=ts, text=f"{text}!")
    await workspace.run("add_reaction", token, channel=channel, ts=ts, emoji="tada")
    history = rows(await workspace.run("get_channel_history", token, channel=channel, limit=200))
    thread = rows(await workspace.run("get_thread_replies", token, channel=channel, ts=ts))

    assert f"{text}!" in {message["text"] for message in history}
    assert [message["text"] for message in thread] == [f"{text}!", "Aye"]
    with pytest.raises(AlreadyThere):
        await workspace.run("add_reaction", token, channel=channel, ts=ts, emoji="tada")


async def test_a_channel_is_created_once(workspace: Workspace) -> None:
    token = await workspace.token("create_channel", "list_channels")
    name = f"pier-{uuid4().hex[:12]}"

    created = row(await workspace.run("create_channel", token, name=name))
    listed = rows(await workspace.run("list_channels", token, limit=1000))

    assert created["id"] in {channel["id"] for channel in listed}
    with pytest.raises(AlreadyThere):
        await workspace.run("create_channel", token, name=name)


async def test_history_is_walked_page_by_page(workspace: Workspace) -> None:
    token = await workspace.token("send_message", "create_channel", "get_channel_history")
    channel = row(await workspace.run("create_channel", token, name=f"log-{uuid4().hex[:12]}"))["id"]
    for number in range(205):  # one more page than Slack gives at once
        await workspace.run("send_message", token, channel=channel, text=f"entry {number}")

    history = rows(await workspace.run("get_channel_history", token, channel=channel, limit=1000))

    entries = [str(message["text"]) for message in history if str(message["text"]).startswith("entry")]
    assert sorted(entries) == sorted({f"entry {number}" for number in range(205)})


async def test_people_are_listed_and_looked_up(workspace: Workspace) -> None:
    token = await workspace.token("list_users")
    people = {person["name"]: person for person in rows(await workspace.run("list_users", token))}

    found = row(await workspace.run("get_user_info", token, user=people["grace"]["id"]))

    assert found["real_name"] == "Grace Moor"
    with pytest.raises(NotThere):
        await workspace.run("get_user_info", token, user="U0NOBODY")


async def test_the_connection_names_the_workspace(workspace: Workspace) -> None:
    token = await workspace.token("list_channels")
    identity = await workspace.integration.identify(setting(token))
    assert row(await workspace.run("get_account", token))["team_id"] == identity.account.id
    assert identity.account.label == "Harbour Works"
    assert identity.account.id.startswith("T")


async def test_a_scope_that_was_not_granted_is_named(workspace: Workspace) -> None:
    token = await workspace.token("list_channels")
    with pytest.raises(ScopeMissing) as caught:
        await workspace.run("list_users", token)
    assert caught.value.missing == ("users:read",)


async def test_a_message_is_deleted_and_another_scheduled(workspace: Workspace) -> None:
    token = await workspace.token("send_message", "delete_message", "schedule_message", "list_channels")
    channel = await workspace.harbour(token)
    posted = row(await workspace.run("send_message", token, channel=channel, text="Oops"))
    gone = await workspace.run("delete_message", token, channel=channel, ts=posted["ts"])
    assert gone == {"channel": channel, "ts": posted["ts"]}
    with pytest.raises(NotThere):
        await workspace.run("delete_message", token, channel=channel, ts=posted["ts"])
    later = int(datetime.now(UTC).timestamp()) + 3600
    asked: dict[str, Json] = {"channel": channel, "text": "Light the lamp", "post_at": later}
    scheduled = row(await workspace.run("schedule_message", token, **asked))
    assert scheduled["post_at"] == later


async def test_a_channel_is_described_filled_and_archived(workspace: Workspace) -> None:
    names = ("create_channel", "get_channel_info", "join_channel", "invite_to_channel", "list_users")
    token = await workspace.token(*names, "set_channel_topic", "archive_channel")
    people = {str(each["name"]): str(each["id"]) for each in rows(await workspace.run("list_users", token))}
    made = row(await workspace.run("create_channel", token, name=f"pier-{uuid4().hex[:12]}"))
    channel: dict[str, Json] = {"channel": made["id"]}

    await workspace.run("join_channel", token, **channel)
    await workspace.run("invite_to_channel", token, **channel, users=[people["grace"]])
    await workspace.run("set_channel_topic", token, **channel, topic="Covers and cradles")
    shown = row(await workspace.run("get_channel_info", token, **channel))
    await workspace.run("archive_channel", token, **channel)

    assert shown["topic"] == "Covers and cradles"
    with pytest.raises(AlreadyThere):
        await workspace.run("archive_channel", token, **channel)


async def test_a_person_is_found_by_address_and_a_direct_message_opened(workspace: Workspace) -> None:
    token = await workspace.token("find_user_by_email", "open_dm", "list_users")
    people = {str(each["name"]): str(each["id"]) for each in rows(await workspace.run("list_users", token))}
    found = row(await workspace.run("find_user_by_email", token, email="grace@example.com"))
    assert found["id"] == people["grace"]
    opened = row(await workspace.run("open_dm", token, user=people["grace"]))
    assert await workspace.run("open_dm", token, user=people["grace"]) == opened
    with pytest.raises(NotThere):
        await workspace.run("find_user_by_email", token, email="nobody@example.com")


async def test_a_file_is_uploaded_in_three_steps_and_listed(workspace: Workspace) -> None:
    token = await workspace.token("upload_file", "list_files", "list_channels", "get_upload_url", "complete_upload")
    channel, name = await workspace.harbour(token), f"{uuid4().hex[:12]}.txt"
    made = row(await workspace.run("upload_file", token, filename=name, content="12:04 4.1 m", channel=channel))
    listed = rows(await workspace.run("list_files", token, channel=channel, count=100))
    assert made["id"] in {each["id"] for each in listed}
    asked = row(await workspace.run("get_upload_url", token, filename=name, length=4))
    assert str(asked["upload_url"]).startswith(workspace.emulate.slack)
