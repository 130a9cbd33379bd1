"""Our small Node programs around public GraphQL clients, run with the Node of the wheel."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from domain.json import Json
from tests.support.emulate import FOREIGN
from tests.support.node import NODE, CannotInstall, install_locked

_PATIENCE_SECONDS = 30


class Program:
    """A running program that was told one line and answers in lines of JSON."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def next(self) -> Any:
        """The next line; fails when the program has ended."""
        assert self._process.stdout is not None
        async with asyncio.timeout(_PATIENCE_SECONDS):
            line = await self._process.stdout.readline()
        assert line, "the program ended early; its words stand in the captured stderr"
        return json.loads(line)

    async def next_with(self, member: str) -> Any:
        """The next line that has this member."""
        while member not in (line := await self.next()):
            pass
        return line[member]


@asynccontextmanager
async def program(name: str, asked: Json) -> AsyncIterator[Program]:
    """Run `tests/foreign/NAME`; it is gone afterwards."""
    try:
        await asyncio.to_thread(install_locked, FOREIGN)
    except CannotInstall as problem:
        pytest.fail(str(problem), pytrace=False)
    process = await asyncio.create_subprocess_exec(
        NODE, name, cwd=FOREIGN, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps(asked).encode() + b"\n")
        await process.stdin.drain()
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
