"""The real PostgreSQL and Redis of the tests: those of DATABASE_URL and REDIS_URL, else private ones.

Nothing is skipped when a server is missing: the run ends, naming what is missing.

- `postgres_url`: a server where databases may be created. The private one is shared by all xdist workers.
- `redis_url`: a Redis. The private one belongs to one worker, listens on loopback, keeps nothing on disk.
- `fresh_database`: the address of an empty database of the test's own, dropped when the test ends.
- `database_template`: the seam for tests that want tables. It returns None, which means "empty". Override it
  (in tests/conftest.py for all, in a folder's conftest.py or a module for some) with a session fixture that
  returns the name of a migrated database, to which nobody is connected any more: every fresh database is then
  cloned from it.
"""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import asyncpg
import pytest

from db.embedded import EmbeddedPostgres, EmbeddedPostgresFailed

_RUN_FOLDER = "MANDATE_TEST_RUN_FOLDER"


def pytest_configure(config: pytest.Config) -> None:
    """Make one folder per run, which all workers know (they inherit the environment), removed at its end."""
    if hasattr(config, "workerinput"):
        return
    folder = tempfile.mkdtemp(prefix="mandate-test-")
    os.environ[_RUN_FOLDER] = folder
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server's address, as asyncpg takes it, of a user who may create databases."""
    if given := os.environ.get("DATABASE_URL"):
        yield given.replace("postgresql+asyncpg://", "postgresql://", 1)
        return
    server = EmbeddedPostgres(Path(os.environ[_RUN_FOLDER]))
    try:
        address = server.start()
    except EmbeddedPostgresFailed as problem:
        _give_up(f"The tests need PostgreSQL. {problem}")
    yield address
    server.stop()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis server's address."""
    if given := os.environ.get("REDIS_URL"):
        yield given
        return
    program = shutil.which("redis-server")
    if program is None:
        _give_up("The tests need Redis: install redis-server, or set REDIS_URL to a running one.")
    with _private_redis(program) as port:
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture(scope="session")
def database_template() -> str | None:
    return None


@pytest.fixture
async def fresh_database(postgres_url: str, database_template: str | None) -> AsyncIterator[str]:
    """The address of a database nobody else uses."""
    async with new_database(postgres_url, database_template) as address:
        yield address


@asynccontextmanager
async def new_database(postgres_url: str, template: str | None = None) -> AsyncIterator[str]:
    """Create a database, empty or cloned from `template`; drop it at the end, whoever is still connected.

    For fixtures of a wider scope than one test.
    """
    name = f"mandate_test_{secrets.token_hex(8)}"
    await _administer(postgres_url, f'CREATE DATABASE "{name}" TEMPLATE "{template or "template0"}"')
    try:
        yield urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
    finally:
        await _administer(postgres_url, f'DROP DATABASE "{name}" WITH (FORCE)')


async def _administer(postgres_url: str, statement: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@contextmanager
def _private_redis(program: str) -> Iterator[int]:
    for _ in range(5):  # between our asking for a free port and its use, somebody else may take it
        port = _free_port()
        words = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
        with subprocess.Popen(
            [program, *words],
            cwd=os.environ[_RUN_FOLDER],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as server:
            assert server.stdout is not None
            if any("Ready to accept connections" in line for line in server.stdout):
                drain = threading.Thread(target=server.stdout.read)  # so that its log never fills the pipe
                drain.start()
                try:
                    yield port
                finally:
                    server.terminate()
                    drain.join()
                return
    _give_up(f"The tests need Redis, and {program} does not start.")


def _give_up(reason: str) -> NoReturn:
    # An xdist worker that exits takes its reason along; a failure is reported, for each test that asked.
    if "PYTEST_XDIST_WORKER" in os.environ:
        pytest.fail(reason, pytrace=False)
    pytest.exit(reason, returncode=1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
