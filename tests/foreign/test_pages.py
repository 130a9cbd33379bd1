"""Our pages for people, held against axe-core: every screen of the connect page, and signing in and out."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from domain.callers import Role
from domain.secrets import Secret
from tests.support.gateways import RunningGateway, running_gateway
from tests.support.node import NODE, install_locked
from tests.support.servers import new_database
from tests.support.visitors import visitor

FOLDER = Path(__file__).parent / "pages"
APP = "https://app.example"
TOKEN = """mutation ($integrations: [String!], $origins: [String!]!) {
  createConnectToken(input: {externalUserId: "kim", integrations: $integrations, allowedOrigins: $origins}) {
    token connectUrl
  }
}"""


@pytest.fixture
async def gateway(postgres_url: str, migrated_template: str, tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """One that other pages may embed."""
    async with (
        new_database(postgres_url, migrated_template) as address,
        running_gateway(address, tmp_path, allowed_origins=(APP,)) as running,
    ):
        yield running


async def _checked(pages: dict[str, str]) -> dict[str, Any]:
    await asyncio.to_thread(install_locked, FOLDER)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(NODE, "check.mjs", cwd=FOLDER, stdin=pipe, stdout=pipe)
    lines = "".join(json.dumps({"name": name, "html": html}) + "\n" for name, html in pages.items())
    out, _ = await asyncio.wait_for(process.communicate(lines.encode()), 60)
    return {each["name"]: each for each in map(json.loads, out.splitlines())}


async def _hosted(gateway: RunningGateway) -> dict[str, str]:
    owner, pages = gateway.client(), dict[str, str]()
    made = (await owner.ask(TOKEN, {"integrations": ["github", "namecom"], "origins": []}))["createConnectToken"]
    async with visitor() as person:
        pages["choices"] = (await person.open(made["connectUrl"])).text
        assert person.at
        start = str(person.at.url)
        pages["key"] = (await person.open(f"{start}/namecom")).text
        pages["mistakes"] = (await person.send(person.form("credential.token"))).text
        pages["offer"] = (await person.open(f"{start}/github")).text
        pages["leaving"] = (await person.send(person.form("oauth"))).text
        pages["refused"] = (await person.consent("deny")).text
        await person.open(f"{start}/github")
        await person.send(person.form("oauth"))
        pages["connected"] = (await person.consent()).text
        pages["ended"] = (await person.open(f"{gateway.url}/connect/mct_nothing")).text
    return pages


async def _framed(gateway: RunningGateway) -> dict[str, str]:
    made = await gateway.client().ask(TOKEN, {"integrations": ["github"], "origins": [APP]})
    pages = dict[str, str]()
    async with visitor() as person:
        pages["frame"] = (await person.open(f"{gateway.url}/connect?origin={APP}")).text
        answer = await person.send(person.form("token"), token=made["createConnectToken"]["token"])
        pages["framed offer"] = answer.text
    return pages


async def _signing_in(gateway: RunningGateway) -> dict[str, str]:
    assert gateway.made.plan.links
    code = gateway.made.plan.links.issue(Secret(gateway.made.issuer.issue("harbour", "ada", [Role.OWNER])))
    pages = dict[str, str]()
    async with visitor() as person:
        pages["not signed in"] = (await person.open(f"{gateway.url}/login")).text
        pages["signed in"] = (await person.open(f"{gateway.url}/login?once={code}")).text
        pages["sign out"] = (await person.open(f"{gateway.url}/logout")).text
        pages["signed out"] = (await person.send(person.form())).text
    return pages


async def test_every_page_is_accessible(gateway: RunningGateway) -> None:
    pages = {**await _hosted(gateway), **await _framed(gateway), **await _signing_in(gateway)}
    control = "<!doctype html><html><head><title></title></head><body><input><img src='x'></body></html>"
    found = await _checked({**pages, "control": control})
    assert len(found.pop("control")["wrong"]) >= 4  # the checker finds what is wrong
    assert {name: each["wrong"] for name, each in found.items() if each["wrong"]} == {}
    assert len(found) == 14
    assert min(each["passed"] for each in found.values()) >= 10
