"""PostgreSQL and Redis for a run: those that DATABASE_URL and REDIS_URL name, else private ones on core 1.

A database is made for the run and dropped with it. The settings that decide what a durable row costs are printed: a
figure taken with fsync off is not a figure.
"""

import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from bench.machine import free_port
from db.embedded import EmbeddedPostgres
from db.migrating import migrate

_TOLD = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers")


@dataclass(frozen=True)
class Stores:
    """Where this run's rows and news go. `folder` is the run's own, removed at its end."""

    database_url: str
    redis_url: str
    folder: Path


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[Stores]:
    """A migrated, empty database and a Redis."""
    with tempfile.TemporaryDirectory(prefix="mandate-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # as root, the embedded server runs as another user, who must pass through
        with _postgres(folder) as server, _redis(folder) as redis_url:
            database = f"mandate_bench_{secrets.token_hex(6)}"
            await _administer(server, f'CREATE DATABASE "{database}"')
            url = urlsplit(server)._replace(path=f"/{database}").geturl()
            try:
                await migrate(url)
                await _tell_settings(url, folder)
                yield Stores(url, redis_url, folder)
            finally:
                await _administer(server, f'DROP DATABASE "{database}" WITH (FORCE)')


@contextlib.contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    given = os.environ.get("DATABASE_URL")
    if given:
        yield given
        return
    with EmbeddedPostgres(folder) as server:
        yield server.start()


@contextlib.contextmanager
def _redis(folder: Path) -> Iterator[str]:
    given = os.environ.get("REDIS_URL")
    if given:
        yield given
        return
    program = shutil.which("redis-server")
    if program is None:
        raise SystemExit("bench: install redis-server, or set REDIS_URL to a running Redis.")
    port = free_port()
    words = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    server = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait()


async def _administer(server: str, statement: str) -> None:
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _tell_settings(url: str, folder: Path) -> None:
    connection = await asyncpg.connect(url)
    try:
        told = [f"{name}={await connection.fetchval(f'SHOW {name}')}" for name in _TOLD]
    finally:
        await connection.close()
    print(f"PostgreSQL: {', '.join(told)}")
    if "DATABASE_URL" not in os.environ:
        print(f"this disk: {_sync_microseconds(folder):.0f} us per 8 kB written and synced")


def _sync_microseconds(folder: Path) -> float:
    """What one durable page costs here, without a database: the floor under every commit."""
    sync = getattr(os, "fdatasync", os.fsync)
    descriptor = os.open(folder / "sync", os.O_WRONLY | os.O_CREAT)
    try:
        os.write(descriptor, bytes(8192))
        sync(descriptor)
        begun = time.perf_counter()
        for _ in range(100):
            os.pwrite(descriptor, os.urandom(8192), 0)
            sync(descriptor)
        return (time.perf_counter() - begun) / 100 * 1e6
    finally:
        os.close(descriptor)
