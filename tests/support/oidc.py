"""`oidc-provider`, an authorization server written by others: strict about PKCE, rotation and reuse.

Installed on first use from tests/foreign/oidc, with its locked versions.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2
import pytest

from tests.support.node import NODE, CannotInstall, install_locked

FOLDER = Path(__file__).parents[1] / "foreign" / "oidc"
CALLBACK = "https://gateway.example/oauth/callback"
_ACTION = re.compile(r'<form[^>]* action="([^"]+)"')
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


@dataclass(frozen=True)
class Counted:
    """What it did: refreshes that succeeded, and consents it ended because a used token came again."""

    refreshes: int
    ended: int


@dataclass
class OidcServer:
    """A running one."""

    url: str
    process: asyncio.subprocess.Process

    async def counted(self) -> Counted:
        """So far."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(b"\n")
        return Counted(**json.loads(await self.process.stdout.readline()))

    async def consent(self, authorize_url: str) -> str:
        """Sign in and agree, as a person's browser would; the code that comes back."""
        async with httpx2.AsyncClient(trust_env=False) as browser:
            url, form = authorize_url, None
            for _ in range(12):
                answer = await (browser.post(url, data=form) if form is not None else browser.get(url))
                form = None
                if location := answer.headers.get("location"):
                    url = urljoin(url, location)
                    if url.startswith(CALLBACK):
                        return parse_qs(urlsplit(url).query)["code"][0]
                    continue
                action = _ACTION.search(answer.text)
                assert action, answer.text[:500]
                url, form = (
                    urljoin(url, action[1]),
                    {**dict(_HIDDEN.findall(answer.text)), "login": "lin", "password": "x"},
                )
        raise AssertionError("no consent came about")


@asynccontextmanager
async def oidc_server() -> AsyncIterator[OidcServer]:
    """One for a test, on a free loopback port."""
    try:
        await asyncio.to_thread(install_locked, FOLDER)
    except CannotInstall as problem:
        pytest.fail(str(problem), pytrace=False)
    process = await asyncio.create_subprocess_exec(
        str(NODE),
        "serve.mjs",
        cwd=FOLDER,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout
        line = await process.stdout.readline()
        assert line, "oidc-provider did not start"
        yield OidcServer(json.loads(line)["issuer"], process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
