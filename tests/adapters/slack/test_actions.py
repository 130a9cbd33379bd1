"""Every action of Slack, tried against the sandbox through real sockets."""

import json
from base64 import b64encode
from dataclasses import replace

import pytest

from adapters.slack.sandbox import sandbox
from adapters.slack.sandbox_state import BOT_USER, TOKEN_BOT, TOKEN_BOT_READS, TOKEN_USER
from domain.errors import (
    AlreadyThere,
    AnswerLost,
    Forbidden,
    NotThere,
    ReconnectNeeded,
    Rejected,
    ScopeMissing,
    SlowDown,
)
from domain.secrets import Secret
from tests.support.trials import Trial, trial

HARBOUR, PILOTS, GENERAL = "C0HARBOUR", "C0PILOTS", "C0GENERAL"
NOON = 1_800_000_000.0


async def test_the_workspace_and_its_scopes_are_told(workspace: Trial) -> None:
    assert (await workspace.run("get_account"))["user_id"] == BOT_USER
    identity = await workspace.integration.identify(workspace.setting())
    assert (identity.account.id, identity.account.label) == ("T0HARBOUR", "Harbour Works")
    assert identity.scopes is not None
    assert {"chat:write", "search:read"} <= set(identity.scopes)


async def test_a_message_is_sent_answered_changed_found_and_deleted(workspace: Trial) -> None:
    sent = await workspace.run("send_message", channel=HARBOUR, text="High water at noon")
    await workspace.run("send_message", channel=HARBOUR, text="Aye", thread_ts=sent["ts"], reply_broadcast=True)
    await workspace.run("update_message", **sent, text="High water at *one*")
    await workspace.run("add_reaction", **sent, emoji="ocean")
    with pytest.raises(AlreadyThere):
        await workspace.run("add_reaction", **sent, emoji="ocean")
    thread = await workspace.run("get_thread_replies", **sent)
    assert [each["text"] for each in thread] == ["High water at *one*", "Aye"]
    history = await workspace.run("get_channel_history", channel=HARBOUR)
    assert [each["text"] for each in history[:2]] == ["Aye", "High water at *one*"]
    found = await workspace.run("search_messages", query="high water in:#harbour from:@mandate", newest_first=True)
    assert [(each["ts"], each["channel"]) for each in found] == [(sent["ts"], HARBOUR)]
    await workspace.run("delete_message", **sent)
    with pytest.raises(NotThere):
        await workspace.run("delete_message", **sent)


async def test_only_own_messages_can_be_changed(workspace: Trial) -> None:
    [theirs] = await workspace.run("get_channel_history", channel=GENERAL)
    with pytest.raises(Forbidden):
        await workspace.run("update_message", channel=GENERAL, ts=theirs["ts"], text="No")
    with pytest.raises(Forbidden):
        await workspace.run("delete_message", channel=GENERAL, ts=theirs["ts"])


async def test_a_person_is_written_to_directly(workspace: Trial) -> None:
    opened = await workspace.run("open_dm", user="U0SAM")
    sent = await workspace.run("send_message", channel="U0SAM", text="Just for you")
    assert sent["channel"] == opened["id"]
    assert await workspace.run("open_dm", user="U0SAM") == opened
    with pytest.raises(NotThere):
        await workspace.run("send_message", channel="U0NOBODY", text="Hello?")


async def test_a_scheduled_message_is_posted_when_its_time_comes() -> None:
    clock = [NOON]
    async with trial("slack", sandbox(now=lambda: clock[0]), {"token": TOKEN_BOT}) as workspace:
        told = {"channel": HARBOUR, "text": "Light the lamp"}
        later = await workspace.run("schedule_message", **told, post_at=int(NOON) + 3600)
        assert later["post_at"] == int(NOON) + 3600
        with pytest.raises(Rejected, match="time_in_past"):
            await workspace.run("schedule_message", **told, post_at=int(NOON) - 1)
        with pytest.raises(Rejected, match="time_too_far"):
            await workspace.run("schedule_message", **told, post_at=int(NOON) + 121 * 86_400)
        assert (await workspace.run("get_channel_history", channel=HARBOUR, limit=1))[0]["text"] != "Light the lamp"
        clock[0] += 3600
        assert (await workspace.run("get_channel_history", channel=HARBOUR, limit=1))[0]["text"] == "Light the lamp"


async def test_a_channel_lives_and_is_archived(workspace: Trial) -> None:
    made = await workspace.run("create_channel", name="winter-storage")
    channel = {"channel": made["id"]}
    assert made["is_member"]
    with pytest.raises(AlreadyThere):
        await workspace.run("create_channel", name="winter-storage")
    await workspace.run("invite_to_channel", **channel, users=["U0LIN", "U0SAM"])
    with pytest.raises(AlreadyThere):
        await workspace.run("invite_to_channel", **channel, users=["U0SAM"])
    await workspace.run("set_channel_topic", **channel, topic="Covers and cradles")
    shown = await workspace.run("get_channel_info", **channel)
    assert (shown["topic"], shown["num_members"]) == ("Covers and cradles", 3)
    await workspace.run("archive_channel", **channel)
    with pytest.raises(AlreadyThere):
        await workspace.run("archive_channel", **channel)
    with pytest.raises(Rejected, match="is_archived"):
        await workspace.run("send_message", **channel, text="Too late")
    names = {each["name"] for each in await workspace.run("list_channels")}
    assert names == {"general", "harbour", "pilots"}
    with pytest.raises(Forbidden):
        await workspace.run("archive_channel", channel=GENERAL)


async def test_where_the_app_is_not_it_can_join(workspace: Trial) -> None:
    with pytest.raises(Forbidden):
        await workspace.run("send_message", channel=PILOTS, text="May I?")
    for _ in range(2):
        assert (await workspace.run("join_channel", channel=PILOTS))["is_member"]
    await workspace.run("send_message", channel=PILOTS, text="Thank you")


async def test_people_are_listed_shown_and_found_by_address(workspace: Trial) -> None:
    people = {each["name"]: each for each in await workspace.run("list_users")}
    assert (people["ida"]["deleted"], people["mandate"]["is_bot"]) == (True, True)
    found = await workspace.run("find_user_by_email", email="Sam@Quay.example")
    assert (found["id"], found["email"], found["title"]) == ("U0SAM", "sam@quay.example", "Pilot")
    assert (await workspace.run("get_user_info", user="U0SAM"))["real_name"] == "Sam Quay"
    with pytest.raises(NotThere):
        await workspace.run("find_user_by_email", email="ida@mole.example")


async def test_a_file_is_uploaded_in_one_action_and_no_token_goes_with_the_bytes(workspace: Trial) -> None:
    picture = b64encode(bytes(range(256))).decode()
    told = {"filename": "chart.png", "content": picture, "encoding": "base64", "title": "Chart"}
    made = await workspace.run("upload_file", **told, channel=HARBOUR, comment="The new chart")
    assert made["title"] == "Chart"
    bytes_sent = next(each for each in workspace.requests if "/upload/v1/" in each.url)
    assert bytes_sent.body == bytes(range(256))
    assert "authorization" not in bytes_sent.headers
    newest, seeded = await workspace.run("list_files", channel=HARBOUR)
    assert (newest["id"], newest["mimetype"], newest["size"]) == (made["id"], "image/png", 256)
    assert seeded["name"] == "tides.csv"
    assert (await workspace.run("get_channel_history", channel=HARBOUR, limit=1))[0]["text"] == "The new chart"


async def test_an_upload_by_hand_is_complete_only_when_its_bytes_have_come(workspace: Trial) -> None:
    asked = await workspace.run("get_upload_url", filename="log.txt", length=4)
    assert "/upload/v1/" in asked["upload_url"]
    with pytest.raises(Rejected):
        await workspace.run("complete_upload", files=[{"id": asked["file_id"]}], channel=HARBOUR)


async def test_what_is_not_base64_is_refused_before_anything_is_sent(workspace: Trial) -> None:
    with pytest.raises(Rejected, match="not base64"):
        await workspace.run("upload_file", filename="a.png", content="%%%", encoding="base64")
    assert workspace.requests == []


async def test_an_address_that_is_not_slacks_gets_no_file(workspace: Trial) -> None:
    call = workspace.integration._call(workspace.setting())  # type: ignore[attr-defined]  # what an action gets
    for address in (
        "https://files.example/upload",
        "http://127.0.0.1:1/upload",
        "https://files.slack.com.evil.example/",
    ):
        with pytest.raises(Rejected, match="not known as its own"):
            await call.upload(address, content=b"secret")
    assert workspace.requests == []


async def test_searching_without_the_persons_token_says_what_is_missing() -> None:
    async with trial("slack", sandbox(), {"token": TOKEN_BOT}) as workspace:
        with pytest.raises(ScopeMissing) as missing:
            await workspace.run("search_messages", query="berth")
        assert missing.value.missing == ("search:read",)
        assert workspace.requests == []


async def test_a_missing_scope_is_named(workspace: Trial) -> None:
    async with trial("slack", sandbox(), {"token": TOKEN_BOT_READS}) as weak:
        with pytest.raises(ScopeMissing) as missing:
            await weak.run("send_message", channel=HARBOUR, text="Hello")
        assert missing.value.missing == ("chat:write",)
        assert await weak.effects() == {}


async def test_a_long_list_is_walked_by_its_cursor(workspace: Trial) -> None:
    for number in range(5):
        await workspace.run("create_channel", name=f"berth-{number}")
    del workspace.requests[:]
    found = await workspace.run("list_channels", limit=1000)
    assert len(found) == 8
    assert len(workspace.requests) == 1
    async with trial("slack", sandbox(per_minute=2), {"token": TOKEN_BOT}) as slow:
        for _ in range(2):
            await slow.run("list_channels")
        with pytest.raises(SlowDown) as limited:
            await slow.run("list_channels")
        assert limited.value.retry_at is not None


async def test_a_lost_answer_to_a_message_may_have_posted_it(workspace: Trial) -> None:
    await workspace.misbehave("lost_answer", "POST /api/chat.postMessage")
    with pytest.raises(AnswerLost) as lost:
        await workspace.run("send_message", channel=HARBOUR, text="Heard?")
    assert lost.value.may_have_happened
    assert (await workspace.effects())["POST /api/chat.postMessage"] == 1


async def test_disconnecting_ends_both_tokens(workspace: Trial) -> None:
    assert not await workspace.integration.revoke(workspace.setting())  # keys are ended by hand
    async with trial("slack", sandbox(), {}, token=TOKEN_BOT) as connected:
        both = {**connected.credential.secrets, "user_token": Secret(TOKEN_USER)}
        connected.credential = replace(connected.credential, secrets=both)
        assert await connected.integration.revoke(connected.setting())
        for action, told in (("list_channels", {}), ("search_messages", {"query": "berth"})):
            with pytest.raises(ReconnectNeeded, match="token_revoked"):
                await connected.run(action, **told)


async def test_no_token_is_in_an_address_or_a_body(workspace: Trial) -> None:
    await workspace.run("send_message", channel=HARBOUR, text="Quiet")
    await workspace.run("search_messages", query="quiet")
    rest = json.dumps([[each.url, (each.body or b"").decode(), repr(each)] for each in workspace.requests])
    assert TOKEN_BOT not in rest
    assert TOKEN_USER not in rest
