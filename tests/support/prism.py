"""Prism: a stand-in for any service, made from the service's own description of its API.

Prism (npm `@stoplight/prism-cli`, Apache-2.0) refuses requests that do not fit the description and answers the others
with samples. It keeps no state and does not look at the value of a credential.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from domain.json import Json
from tests.support.emulate import FOREIGN
from tests.support.node import NODE, CannotInstall, install_locked

_FOLDER = FOREIGN / "prism"
_PROGRAM = "node_modules/@stoplight/prism-cli/dist/index.js"
_LISTENING = re.compile(rb"listening on (http://127\.0\.0\.1:\d+)")
_PATIENCE_SECONDS = 60


@asynccontextmanager
async def prism(description: Path, samples: Mapping[str, Json], folder: Path) -> AsyncIterator[str]:
    """Serve what `description` (OpenAPI, JSON) describes; yields the base address.

    `samples`: values for members of answers, by the member's name, where the description has no example of its own.
    """
    try:
        await asyncio.to_thread(install_locked, _FOLDER)
    except CannotInstall as problem:
        pytest.fail(str(problem), pytrace=False)
    document = folder / "description.json"
    document.write_text(json.dumps(_with_samples(json.loads(description.read_text()), samples)))
    words = ["mock", "-h", "127.0.0.1", "-p", "0", str(document)]
    process = await asyncio.create_subprocess_exec(
        NODE, _PROGRAM, *words, cwd=_FOLDER, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    assert process.stdout is not None
    try:
        yield await _address(process.stdout)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _address(output: asyncio.StreamReader) -> str:
    seen = b""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while line := await output.readline():
            seen += line
            if found := _LISTENING.search(line):
                return found[1].decode()
    pytest.fail(f"Prism ended early:\n{seen.decode()}", pytrace=False)


def _with_samples(shape: Json, samples: Mapping[str, Json]) -> Json:
    if isinstance(shape, list):
        return [_with_samples(each, samples) for each in shape]
    if not isinstance(shape, dict):
        return shape
    changed = {name: _with_samples(each, samples) for name, each in shape.items()}
    members = changed.get("properties")
    if isinstance(members, dict):
        for name, member in members.items():
            if name in samples and isinstance(member, dict):
                member["example"] = samples[name]
    return changed
