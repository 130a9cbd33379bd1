"""`mandate` as its operator starts it: a process of its own, with an environment of its own."""

import asyncio
import base64
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2

ROOT = Path(__file__).parents[2]
MASTER_KEYS = "k1:" + base64.b64encode(b"a key of the tests, 32 bytes ...").decode()
_START_SECONDS = 60


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


async def mandate(*words: str, typed: str | None = None, **environ: str) -> Ended:
    """Run one command to its end. `typed` is what its operator types."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway.cli",
        *words,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environ},
        stdin=asyncio.subprocess.DEVNULL if typed is None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    written = typed.encode() if typed is not None else None
    out, err = await asyncio.wait_for(process.communicate(written), _START_SECONDS)
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


@asynccontextmanager
async def starting(*words: str, **environ: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, AsyncIterator[str]]]:
    """A command under way, and the lines it prints as they come; killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway.cli",
        *words,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environ},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None

    async def lines(printed: asyncio.StreamReader) -> AsyncIterator[str]:
        while line := await printed.readline():
            yield line.decode()

    try:
        yield process, lines(process.stdout)
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
        await process.wait()


@dataclass
class Serving:
    """A running `mandate serve`. `log` holds what it wrote to stderr."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    async def end(self, number: int) -> int:
        """Send a signal and wait; the exit code."""
        self.process.send_signal(number)
        return await asyncio.to_thread(self.process.wait, _START_SECONDS)


@asynccontextmanager
async def serving_process(folder: Path, environ: Mapping[str, str]) -> AsyncIterator[Serving]:
    """Start `mandate serve` and wait until it is ready; killed at the end if it still runs."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = folder / f"serve-{port}-{len(list(folder.iterdir()))}.log"
    settings = {"MANDATE_PUBLIC_URL": url, "MANDATE_DATA_DIR": str(folder), **environ}
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway.cli", "serve", "--port", str(port)],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **settings},
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
        )
    serving = Serving(url, process, log)
    try:
        await _ready(serving)
        yield serving
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()


async def _ready(serving: Serving) -> None:
    """A process says that it is ready at `/readyz` alone, so it is asked there until it does."""
    async with asyncio.timeout(_START_SECONDS), httpx2.AsyncClient(trust_env=False) as http:
        while True:
            assert serving.process.poll() is None, serving.log.read_text()
            try:
                if (await http.get(f"{serving.url}/readyz")).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.05)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(database_url: str, issuer: str, **more: str) -> Mapping[str, str]:
    """What `mandate serve` needs."""
    return {
        "DATABASE_URL": database_url,
        "MANDATE_MASTER_KEYS": MASTER_KEYS,
        "MANDATE_OIDC_ISSUER": issuer,
        "MANDATE_OIDC_AUDIENCE": "https://mandate.example",
        **more,
    }
