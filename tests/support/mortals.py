"""Gateways in development mode that are born quickly and may be killed: one process loads everything and forks.

    with midwife(folder) as births:
        life = births.born({"DATABASE_URL": ..., "MANDATE_TEST_DIE_AT": "after_claim"})
        ...
        assert await life.died() == -signal.SIGKILL

`python -m tests.support.mortals` is that process. It reads one order a line and answers each with one line.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx2

from domain.callers import Role
from execution.working import Worker
from gateway import logs
from tests.support.gateways import Client
from tests.support.processes import ROOT, free_port
from vault.development import DevelopmentIssuer

_START_SECONDS = 60
#: In the environment of a life that takes nothing from the queue.
RESTS = "MORTALS_REST"


class StillBorn(Exception):
    """It ended before it was ready; the end of its log."""


@dataclass
class Life:
    """One gateway process."""

    url: str
    pid: int
    births: "Births"

    async def ready(self) -> None:
        """Once it is."""
        async with asyncio.timeout(_START_SECONDS), httpx2.AsyncClient(trust_env=False) as http:
            while True:
                try:
                    if (await http.get(f"{self.url}/readyz")).status_code == 200:
                        return
                except httpx2.TransportError:
                    pass
                if not self.births.is_alive(self):
                    raise StillBorn(self.births.log.read_text()[-4000:])
                await asyncio.sleep(0.03)

    def tell(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    async def died(self, seconds: float = _START_SECONDS) -> int:
        """Its exit code, the negative number of a signal that ended it; once it has ended."""
        async with asyncio.timeout(seconds):
            while self.births.is_alive(self):
                await asyncio.sleep(0.01)
        return self.births.ended[self.pid]

    def client(self, tenant: str = "acme") -> Client:
        """An owner of the tenant."""
        return Client(self.url, self.births.issuer.issue(tenant, "ada", [Role.OWNER]))


class Births:
    """The loaded process that others are forked from."""

    def __init__(self, process: "subprocess.Popen[bytes]", folder: Path) -> None:
        self._process = process
        self.folder = folder
        self.log = folder / "mortals.log"
        self.issuer = DevelopmentIssuer(folder / "development.key")
        self.ended: dict[int, int] = {}

    def born(self, environ: Mapping[str, str]) -> Life:
        """A new gateway, which is not ready yet."""
        port = free_port()
        pid = self._order({"port": port, "environ": {"MANDATE_DATA_DIR": str(self.folder), **environ}})
        return Life(f"http://127.0.0.1:{port}", pid, self)

    def is_alive(self, life: Life) -> bool:
        """Whether it has not ended."""
        if life.pid in self.ended:
            return False
        code = self._order({"ask": life.pid})
        if code != 1000:
            self.ended[life.pid] = code
        return code == 1000

    def _order(self, order: Mapping[str, object]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def midwife(folder: Path) -> Iterator[Births]:
    """The process that others are forked from; all of them end with it. Their data and logs lie in the folder."""
    with (folder / "mortals.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.mortals"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"]},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    try:
        yield Births(process, folder)
    finally:
        process.communicate()


def _attend(orders: IO[str], answers: IO[str]) -> None:
    born: list[int] = []
    for line in orders:
        order = json.loads(line)
        if "ask" in order:
            answer = _fate(order["ask"])
        else:
            answer = os.fork()
            if answer == 0:
                _live(order["port"], order["environ"])
            born.append(answer)
        print(answer, file=answers, flush=True)
    for pid in born:
        if _fate(pid) == 1000:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


_ENDED: dict[int, int] = {}


def _fate(pid: int) -> int:
    """1000 while it lives, else how it ended."""
    if pid not in _ENDED:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found == 0:
            return 1000
        _ENDED[pid] = os.waitstatus_to_exitcode(status)
    return _ENDED[pid]


def _live(port: int, environ: Mapping[str, str]) -> None:
    """As `mandate dev` serves, without its journey. Never comes back."""
    try:
        os.environ.update(environ)
        if environ.get(RESTS):
            setattr(Worker, "work", _never)  # noqa: B010 - it takes nothing from the queue that others left
        logs.configure(is_development=False)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(2, 1)
        asyncio.run(_serve(port))
    finally:
        os._exit(0)


async def _never(_: Worker) -> None:
    await asyncio.Event().wait()


async def _serve(port: int) -> None:
    import uvicorn

    from gateway.app import application
    from gateway.serving import SERVER
    from gateway.starting import development, settings_of_process

    async with development(settings_of_process(), "127.0.0.1", port) as made:
        config = uvicorn.Config(application(made.plan, made.sandboxes), host="127.0.0.1", port=port, **SERVER)
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    from importlib import import_module

    import alembic.command  # noqa: F401
    import redis.asyncio  # noqa: F401

    import adapters._kit.wire  # noqa: F401
    import gateway.app
    import gateway.dying
    import gateway.starting  # noqa: F401
    from adapters._kit.catalogue import slugs
    from schema.build import schema

    schema()
    for slug in slugs():  # once, and not again in every life
        import_module(f"adapters.{slug}.actions")
    _attend(sys.stdin, sys.stdout)
