"""Signing in by browser at an identity provider that we did not write (`oidc-provider`)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from domain.secrets import Secret
from tests.support.gateways import RunningGateway, running_gateway
from tests.support.node import NODE, install_locked
from tests.support.oidc import FOLDER
from tests.support.processes import free_port
from tests.support.servers import new_database
from tests.support.visitors import Visitor, visitor

AUDIENCE = "https://mandate.example"
CSRF = {"x-mandate-csrf": "1"}
VIEWER = {"query": "{ viewer { subject tenantId roles } }"}


@asynccontextmanager
async def _provider(port: int, gateway: str) -> AsyncIterator[None]:
    await asyncio.to_thread(install_locked, FOLDER)
    words = (str(NODE), "serve_sign_in.mjs", str(port), gateway, AUDIENCE)
    pipe, quiet = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*words, cwd=FOLDER, stdin=pipe, stdout=pipe, stderr=quiet)
    try:
        assert process.stdout
        assert json.loads(await process.stdout.readline())["issuer"].endswith(str(port))
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture(scope="module")
async def gateway(
    postgres_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningGateway]:
    """One whose people sign in there."""
    port = free_port()
    folder: Path = tmp_path_factory.mktemp("gateway")
    settings: dict[str, Any] = {
        "oidc_issuer": f"http://127.0.0.1:{port}",
        "oidc_audience": AUDIENCE,
        "oidc_client_id": "mandate",
        "oidc_client_secret": Secret("sign-in-secret-canary"),
    }
    async with (
        new_database(postgres_url, migrated_template) as address,
        running_gateway(address, folder, **settings) as running,
        _provider(port, running.url),
    ):
        yield running


@pytest.fixture
async def person() -> AsyncIterator[Visitor]:
    async with visitor() as someone:
        yield someone


async def _as(person: Visitor, gateway: RunningGateway, name: str, back: str = "/login") -> str:
    """Sign in there as a person would; the address that leads back to us, not yet followed."""
    begun = await person.http.get(f"{gateway.url}/login", params={"return": back})
    assert begun.status_code == 303, begun.text
    await person.open(begun.headers["location"])
    for _ in range(8):
        assert person.at
        location = person.at.headers.get("location", "")
        if location.startswith(gateway.url):
            return location
        if location:
            await person.open(location)
            continue
        form = person.form()
        typed = {"login": name, "password": "x"} if "login" in person.text and "password" in person.text else {}
        answer = await person.http.post(httpx2.URL(str(person.at.url)).join(form.action), data={**form.fields, **typed})
        person.at = answer
    raise AssertionError("no sign-in came about")


async def test_a_person_signs_in_and_asks_as_themselves(gateway: RunningGateway, person: Visitor) -> None:
    back = await _as(person, gateway, "lin", "/login?from=console")
    arrived = await person.http.get(back)
    assert (arrived.status_code, arrived.headers["location"]) == (303, "/login?from=console")
    answer = await person.http.post(f"{gateway.url}/graphql", json=VIEWER, headers=CSRF)
    assert answer.json()["data"]["viewer"] == {"subject": "lin", "tenantId": "harbour", "roles": ["owner"]}
    assert (await person.http.post(f"{gateway.url}/graphql", json=VIEWER)).status_code == 401


async def test_what_is_asked_of_the_provider_carries_a_challenge_and_no_secret(
    gateway: RunningGateway, person: Visitor
) -> None:
    begun = await person.http.get(f"{gateway.url}/login")
    asked = parse_qs(urlsplit(begun.headers["location"]).query)
    assert (asked["code_challenge_method"], asked["resource"]) == (["S256"], [AUDIENCE])
    assert "canary" not in begun.headers["location"]
    assert asked["state"][0] not in begun.headers["set-cookie"]


async def test_a_code_works_in_the_browser_that_asked_for_it(gateway: RunningGateway, person: Visitor) -> None:
    back = await _as(person, gateway, "lin")
    async with visitor() as stranger:
        refused = await stranger.open(back)
        assert (refused.status_code, "not begun in this browser" in refused.text) == (400, True)
        await stranger.http.get(f"{gateway.url}/login")  # a sign-in of their own does not help
        assert (await stranger.open(back)).status_code == 400
    assert (await person.http.get(back)).status_code == 303


async def test_an_answer_works_once(gateway: RunningGateway, person: Visitor) -> None:
    back = await _as(person, gateway, "lin")
    assert (await person.http.get(back)).status_code == 303
    assert (await person.http.get(back)).status_code == 400


@pytest.mark.parametrize(
    ("find", "put"),
    [
        ("state=", "state=x"),
        ("code=", "code=x"),
        ("iss=", "iss=https%3A%2F%2Fevil.example&was="),
        ("iss=", "was="),
        ("code=", "error=access_denied&was="),
        ("code=", "code=x&code="),
        ("code=", f"code={'x' * 5000}&was="),
    ],
)
async def test_an_answer_that_was_changed_signs_nobody_in(
    gateway: RunningGateway, person: Visitor, find: str, put: str
) -> None:
    back = await _as(person, gateway, "lin")
    assert find in back
    answer = await person.http.get(back.replace(find, put, 1))
    assert answer.status_code == 400
    assert "xxxx" not in answer.text
    viewer = await person.http.post(f"{gateway.url}/graphql", json=VIEWER, headers=CSRF)
    assert viewer.status_code == 401


async def test_a_token_that_no_door_takes_signs_nobody_in(gateway: RunningGateway, person: Visitor) -> None:
    answer = await person.http.get(await _as(person, gateway, "nobody"))
    assert (answer.status_code, "gives no role" in answer.text) == (400, True)


async def test_signing_out_offers_the_providers_own_way_out(gateway: RunningGateway, person: Visitor) -> None:
    await person.open(await _as(person, gateway, "lin"))
    await person.open(f"{gateway.url}/logout")
    answer = await person.send(person.form())
    assert "Sign out of the identity provider too" in answer.text
