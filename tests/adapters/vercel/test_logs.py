"""Build logs and runtime logs, bounded in lines and in time."""

import json

import pytest

from adapters._kit.http import CannedTransport, Incoming
from domain.errors import AnswerGarbled, NotThere
from domain.json import Json
from tests.adapters.vercel.shop import Shop, mistakes, open_shop
from tests.support.overheard import Connected

SITE = "harbour-site"
BROKEN: dict[str, Json] = {"type": "github", "repo": "harbour-works/site", "ref": "broken-lamp"}


def texts(told: Json) -> list[Json]:
    assert isinstance(told, dict)
    lines = told["lines"]
    assert isinstance(lines, list)
    return [line["text"] for line in lines if isinstance(line, dict)]


@pytest.fixture
async def online(front: Connected) -> str:
    """The id of a deployment that is READY."""
    return str((await front.rows("list_deployments", project=SITE))[0]["id"])


async def test_the_last_lines_of_a_build_come_oldest_first(front: Connected, shop: Shop) -> None:
    made = await front.row("create_deployment", project=SITE, git=BROKEN)
    shop.built()
    whole = await front.row("get_build_logs", deployment=made["id"])
    assert whole["is_complete"] is True
    assert texts(whole)[-2:] == ["Error: this one is broken on purpose.", "Command exited with 1"]
    last = await front.row("get_build_logs", deployment=made["id"], limit=2)
    assert (texts(last), last["is_complete"]) == (texts(whole)[-2:], False)
    first = await front.row("get_build_logs", deployment=made["id"], limit=2, from_start=True)
    assert texts(first) == texts(whole)[:2]


async def test_a_build_under_way_has_said_less(front: Connected, shop: Shop) -> None:
    made = await front.row("create_deployment", project=SITE, git=BROKEN)
    assert texts(await front.row("get_build_logs", deployment=made["id"])) == []
    shop.clock.time += 2.5
    assert texts(await front.row("get_build_logs", deployment=made["id"]))[-1] == "npm install"


async def test_what_a_website_says_is_read(front: Connected, online: str) -> None:
    found = await front.row("get_runtime_logs", deployment=online)
    lines = found["lines"]
    assert isinstance(lines, list)
    assert (len(lines), found["is_complete"]) == (4, True)
    assert lines[2] == {
        "at": "2027-01-15T07:59:58.000Z",
        "level": "error",
        "text": "TypeError: the lamp is not lit",
        "source": "serverless",
        "method": "GET",
        "path": "/pier/2",
        "status": 500,
    }
    fewer = await front.row("get_runtime_logs", deployment=online, limit=1)
    assert (texts(fewer), fewer["is_complete"]) == (["GET /pier/3"], False)


async def test_a_log_without_an_end_is_left_after_a_while() -> None:
    async with open_shop(listening_seconds=60) as shop:
        online = (await shop.front.rows("list_deployments", project=SITE))[0]["id"]
        found = await shop.front.row("get_runtime_logs", deployment=online, seconds=1)
        assert (len(texts(found)), found["is_complete"]) == (4, False)


async def test_both_logs_are_viewed_at_once(front: Connected, online: str) -> None:
    found = await front.row("view_logs", deployment=online, limit=3, runtime_seconds=1)
    deployment = found["deployment"]
    assert isinstance(deployment, dict)
    assert deployment["state"] == "READY"
    assert texts(found["build"])[-1] == "Deployment completed"
    assert (len(texts(found["build"])), len(texts(found["runtime"]))) == (3, 3)


async def test_what_is_not_online_has_no_runtime_log(front: Connected) -> None:
    made = await front.row("create_deployment", project=SITE, git=BROKEN)
    found = await front.row("view_logs", deployment=made["id"])
    assert found["runtime"] is None
    assert front.asked("/runtime-logs") == []


async def test_logs_of_nothing_are_not_there(front: Connected) -> None:
    for action in ("get_build_logs", "get_runtime_logs", "view_logs"):
        with pytest.raises(NotThere):
            await front.run(action, deployment="dpl_nobody")


@pytest.mark.parametrize("limit", [0, 1001, True, "5"])
def test_the_number_of_lines_is_bounded(limit: Json) -> None:
    assert mistakes("get_build_logs", deployment="dpl_1", limit=limit) == ["/limit"]


def test_the_time_is_bounded() -> None:
    assert mistakes("get_runtime_logs", deployment="dpl_1", seconds=21) == ["/seconds"]


# ------------------------------------------------------------------------------- shapes the sandbox does not give


def answering(front: Connected, monkeypatch: pytest.MonkeyPatch, raw: bytes, *, is_cut: bool = False) -> None:
    """Have every question answered: for deployments with one, for logs with these bytes."""
    deployment = json.dumps({"id": "dpl_1", "name": "a", "projectId": "prj_1", "readyState": "READY"}).encode()

    def answer(request: object) -> Incoming:
        is_log = "/events" in str(getattr(request, "url", "")) or "runtime-logs" in str(getattr(request, "url", ""))
        return Incoming(200, {}, raw if is_log else deployment, is_cut)

    monkeypatch.setattr(front.integration, "_transport", CannedTransport(answer))


async def test_events_with_a_payload_and_events_without_text_are_read(
    front: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [
        {"type": "stdout", "created": 2000, "payload": {"text": "second", "date": 2000}},
        {"type": "deployment-state", "created": 1500, "payload": {"info": {"readyState": "BUILDING"}}},
        {"type": "stdout", "created": 1000, "payload": {"text": "x" * 3000}},
    ]
    answering(front, monkeypatch, json.dumps(events).encode())
    found = texts(await front.row("get_build_logs", deployment="dpl_1"))
    assert found[1] == "second"
    assert len(str(found[0])) == 2001


async def test_no_events_at_all_is_an_empty_log(front: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(front, monkeypatch, b"null")
    assert await front.run("get_build_logs", deployment="dpl_1") == {"lines": [], "is_complete": True}


async def test_half_a_line_at_the_end_is_left_out(front: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    line = json.dumps({"level": "info", "message": "whole", "timestampInMs": 1000}).encode()
    answering(front, monkeypatch, line + b"\n\n" + line[:10], is_cut=True)
    found = await front.row("get_runtime_logs", deployment="dpl_1")
    assert (texts(found), found["is_complete"]) == (["whole"], False)
    answering(front, monkeypatch, line + b"\n" + line)
    assert texts(await front.row("get_runtime_logs", deployment="dpl_1")) == ["whole", "whole"]


async def test_lines_that_are_no_json_are_not_passed_on(front: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(front, monkeypatch, b"<html>not for you</html>\n")
    with pytest.raises(AnswerGarbled) as garbled:
        await front.run("get_runtime_logs", deployment="dpl_1")
    assert "not for you" not in str(garbled.value)
