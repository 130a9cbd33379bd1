"""A token endpoint that rotates refresh tokens, notices when one is used twice, and misbehaves on command.

It also says whose an access token is (`GET /user`), so that a connection can be tested with it.
"""

import asyncio
import json
import secrets
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qs

from domain.json import Json

#: What to do with one request for a refresh. `lost` does the work and hangs up; `slow` answers when told to;
#: the others answer so without doing it.
Deed = Literal["lost", "slow", "reset", "500", "503", "429", "garbage", "invalid_grant", "invalid_client"]

_PLAIN: dict[str, tuple[int, Json]] = {
    "500": (500, {"error": "invalid_grant"}),  # a service that is broken lies, too
    "503": (503, "<p>down</p>"),
    "429": (429, {"error": "slow_down"}),
    "garbage": (200, "<p>not JSON</p>"),
    "invalid_grant": (400, {"error": "invalid_grant"}),
    "invalid_client": (401, {"error": "invalid_client"}),
}


@dataclass
class _Family:
    """The tokens that came from one consent. Using a spent refresh token ends all of it (RFC 9700, 4.14.2)."""

    account: str
    scopes: str
    current: str
    access: set[str] = field(default_factory=set)
    spent: set[str] = field(default_factory=set)
    is_over: bool = False


@dataclass
class TokenService:
    """`refreshes` counts those that were done. `lifetime` is what it says about access tokens, in seconds."""

    lifetime: int | None = 3_600
    is_rotating: bool = True
    refreshes: int = 0
    asked: int = 0
    reuse_detected: int = 0
    deeds: deque[Deed] = field(default_factory=deque)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    answer: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    account_of_everybody: str = ""
    _families: list[_Family] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def consent(self, account: str = "1", scopes: str = "read write") -> tuple[str, str]:
        """An access token and its refresh token, as after a person's consent."""
        family = _Family(account, scopes, f"rt-{secrets.token_hex(8)}")
        access = f"at-{secrets.token_hex(8)}"
        family.access.add(access)
        self._families.append(family)
        return access, family.current

    def revoke(self) -> None:
        """Every person takes every consent back."""
        for family in self._families:
            family.is_over = True

    def forget_access(self) -> None:
        """Access tokens stop working; refresh tokens do not."""
        for family in self._families:
            family.access.clear()

    def grants(self, scopes: str) -> None:
        """What is granted changes over there."""
        for family in self._families:
            family.scopes = scopes

    def is_alive(self, access: str) -> bool:
        """Whether this access token opens anything."""
        return any(access in family.access and not family.is_over for family in self._families)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next((int(x[15:]) for x in head.lower().split("\r\n") if x.startswith("content-length:")), 0)
            form = parse_qs((await reader.readexactly(length)).decode())
            said = await self._refresh(form) if head.startswith("POST /token") else self._user(head)
            if said is None:
                writer.transport.abort()
            else:
                writer.write(_http(*said))
                await writer.drain()
        writer.close()

    async def _refresh(self, form: dict[str, list[str]]) -> tuple[int, Json] | None:
        self.asked += 1
        deed = self.deeds.popleft() if self.deeds else ""
        self.arrived.set()
        if deed in _PLAIN:
            return _PLAIN[deed]
        if deed == "reset":
            return None
        said = self._rotate(form["refresh_token"][0])
        if deed == "slow":
            await self.answer.wait()
        return None if deed == "lost" else said

    def _rotate(self, given: str) -> tuple[int, Json]:
        for family in self._families:
            if given in family.spent:
                self.reuse_detected += 1
                family.is_over = True
            if given != family.current or family.is_over:
                continue
            self.refreshes += 1
            access = f"at-{secrets.token_hex(8)}"
            family.access.add(access)
            told: dict[str, Json] = {"access_token": access, "token_type": "bearer", "scope": family.scopes}
            if self.lifetime is not None:
                told["expires_in"] = self.lifetime
            if self.is_rotating:
                family.spent.add(given)
                family.current = f"rt-{secrets.token_hex(8)}"
                told["refresh_token"] = family.current
            return 200, told
        return 400, {"error": "invalid_grant", "error_description": "foreign-text-7f3a9c"}

    def _user(self, head: str) -> tuple[int, Json]:
        token = next((x.split()[-1] for x in head.split("\r\n") if x.lower().startswith("authorization:")), "")
        for family in self._families:
            if token in family.access and not family.is_over:
                return 200, {"id": self.account_of_everybody or family.account, "scopes": family.scopes}
        return 401, {"message": "Bad credentials"}


def _http(status: int, body: Json) -> bytes:
    raw = (body if isinstance(body, str) else json.dumps(body)).encode()
    head = f"HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ncontent-length: {len(raw)}\r\n"
    return (head + "connection: close\r\n\r\n").encode() + raw


@asynccontextmanager
async def token_service(**facts: object) -> AsyncIterator[TokenService]:
    """One that listens."""
    made = TokenService(**facts)  # type: ignore[arg-type]  # fields, spelled by the test
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        made.answer.set()
        server.close()
