"""What every Google integration shares: the family of manifests, and the sandbox's reception."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from starlette.responses import Response

from adapters._kit.manifest import Manifest, read_manifest
from adapters._kit.sandbox import StateFile
from adapters._kit.sandbox_google import (
    TOKEN_IDENTITY,
    TOKEN_MARA,
    Ask,
    GoogleDesk,
    GoogleWorld,
    Shape,
    google_oauth,
    google_people,
    invalid,
)
from tests.support.serving import serving

SEE, CHANGE = "https://auth.example/berths.see", "https://auth.example/berths"
OWN = """
family = "google"
id = "berths"
name = "Berths"
description = "Berths."
category = "OTHER"
tier = "BRONZE"
[http]
base_url = "https://berths.googleapis.com"
[answers.errors]
berthTaken = "conflict"
[sandbox]
api = "/berths"
"""


def own(folder: Path) -> Manifest:
    (folder / "berths").mkdir()
    (folder / "berths" / "manifest.toml").write_text(OWN)
    return read_manifest(folder / "berths" / "manifest.toml")


def test_a_manifest_of_the_family_says_only_what_is_its_own(tmp_path: Path) -> None:
    found = own(tmp_path)
    assert found.oauth2 is not None
    assert (found.oauth2.refresh, found.oauth2.parameters["access_type"]) == ("reusable", "offline")
    assert set(found.oauth2.always) <= set(found.scopes)
    assert (found.check.host, found.check.account) == ("identity", "sub")
    assert found.revoke is not None
    assert (found.revoke.host, found.revoke.unsigned) == ("oauth", True)
    assert {"berthTaken", "userRateLimitExceeded"} <= set(found.answers.errors)
    assert found.sandbox is not None
    assert (found.sandbox.api, set(found.sandbox.hosts)) == ("/berths", {"identity", "oauth"})


def look(ask: Ask) -> Shape:
    return {"who": ask.person.email, **ask.page(["a", "b", "c"], ask.number("pageSize", 2, 2), "berths")}


def take(ask: Ask) -> Shape:
    body = ask.body()
    if "name" not in body:
        raise invalid("A name is required.")
    return body


def file(_ask: Ask) -> Response:
    return Response(b"\x00", media_type="image/png")


@pytest.fixture
async def berths() -> AsyncIterator[httpx2.AsyncClient]:
    def seeded() -> GoogleWorld:
        return GoogleWorld(oauth=google_oauth([SEE]), people=google_people())

    desk = GoogleDesk.opened(
        "berths",
        StateFile(None, GoogleWorld),
        seeded,
        clients=None,
        scopes={SEE: "See berths", CHANGE: "Take berths"},
        contains={CHANGE: {SEE}},
        now=lambda: 1_796_040_000.0,
        rate_limit=5,
    )
    routes = [
        desk.route("GET", "/berths", look, SEE),
        desk.route("POST", "/berths", take, SEE),
        desk.route("POST", "/berths:search", look, SEE, reads=True),
        desk.route("DELETE", "/berths", look, CHANGE),
        desk.route("GET", "/file", file),
    ]
    signed = {"Authorization": f"Bearer {TOKEN_MARA}"}
    async with (
        serving(desk.app(routes, faults=True)) as base,
        httpx2.AsyncClient(base_url=base, headers=signed, trust_env=False) as client,
    ):
        yield client


async def test_a_call_is_received_when_token_scope_and_rate_are_in_order(berths: httpx2.AsyncClient) -> None:
    first = (await berths.get("/berths")).json()
    assert first == {"who": "mara@harbour.example", "berths": ["a", "b"], "nextPageToken": "2"}
    assert (await berths.get("/berths?pageToken=2")).json() == {"who": "mara@harbour.example", "berths": ["c"]}
    assert (await berths.get("/file")).content == b"\x00"
    for _ in range(2):
        assert (await berths.get("/file")).status_code == 200
    limited = (await berths.get("/file")).json()["error"]
    assert (limited["code"], limited["errors"][0]["reason"]) == (403, "userRateLimitExceeded")


async def test_what_is_not_in_order_is_refused_with_a_reason(berths: httpx2.AsyncClient) -> None:
    lacking = (await berths.delete("/berths")).json()["error"]
    assert (lacking["code"], lacking["details"][0]["reason"]) == (403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT")
    identity = {"Authorization": f"Bearer {TOKEN_IDENTITY}"}
    assert (await berths.get("/berths", headers=identity)).status_code == 403
    nobody = await berths.get("/berths", headers={"Authorization": ""})
    assert nobody.status_code == 401
    assert "www-authenticate" in nobody.headers
    for content in (b"[]", b"x", b""):
        assert (await berths.post("/berths", content=content)).json()["error"]["status"] == "INVALID_ARGUMENT"


async def test_only_what_was_changed_counts_as_an_effect(berths: httpx2.AsyncClient) -> None:
    await berths.post("/berths", json={})
    await berths.post("/berths", json={"name": "one"})
    await berths.post("/berths:search")
    assert (await berths.get("/_sandbox/effects")).json()["effects"] == {"POST /berths": 1}


async def test_a_fixed_token_can_be_revoked_too(berths: httpx2.AsyncClient) -> None:
    assert (await berths.post("/oauth2/revoke", data={"token": TOKEN_MARA})).json() == {}
    assert (await berths.get("/openidconnect/v1/userinfo")).status_code == 401
    assert (await berths.post("/oauth2/revoke", data={"token": "unheard-of"})).status_code == 400
