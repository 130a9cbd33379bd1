"""Starting: whatever is missing or wrong is one clear line on stderr, exit code 1, and holds no secret.

Each kind of trouble is met once by a real process; its variants call the same command line in this one.
"""

import asyncio
import base64
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from gateway.cli import main
from gateway.settings import ConfigFile, Settings
from gateway.starting import development
from tests.support.processes import MASTER_KEYS, Ended, environment, mandate, serving_process
from tests.support.servers import new_database

NOWHERE = "postgresql://mandate:canary-password@127.0.0.1:1/mandate"
NEEDED = {
    "MANDATE_MASTER_KEYS": MASTER_KEYS,
    "DATABASE_URL": NOWHERE,
    "MANDATE_OIDC_ISSUER": "https://login.example",
    "MANDATE_OIDC_AUDIENCE": "https://mandate.example",
    "MANDATE_PUBLIC_URL": "https://mandate.example",
}


@pytest.fixture(scope="module")
async def migrated(postgres_url: str, migrated_template: str) -> AsyncIterator[str]:
    async with new_database(postgres_url, migrated_template) as address:
        yield address


Command = Callable[..., Awaitable[Ended]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command line in this process, for the many ways in which a setting can be wrong."""

    def run(words: tuple[str, ...]) -> int:
        try:
            return main(words)
        except SystemExit as stopped:
            return int(stopped.code or 0)

    async def ended(*words: str, **environ: str) -> Ended:
        for name in [name for name in os.environ if name.startswith("MANDATE_") or name.endswith("_URL")]:
            monkeypatch.delenv(name)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        code = await asyncio.to_thread(run, words)
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return ended


def _one_line(ended: Ended, *hints: str) -> None:
    """It failed with one sentence that names what to do, and nothing else."""
    assert ended.code == 1, ended
    assert ended.out == "", ended
    assert ended.err.startswith("mandate: "), ended
    assert ended.err.count("\n") == 1, ended
    for hint in hints:
        assert hint in ended.err, ended
    for secret in ("canary", "Traceback", MASTER_KEYS.partition(":")[2]):
        assert secret not in ended.err


@pytest.mark.parametrize("missing", NEEDED)
async def test_serving_without_a_needed_setting_names_it(command: Command, tmp_path: Path, missing: str) -> None:
    given = {name: value for name, value in NEEDED.items() if name != missing}
    _one_line(await command("serve", MANDATE_DATA_DIR=str(tmp_path), **given), f"{missing} is not set")


def _of(size: int) -> str:
    return base64.b64encode(b"canary-key-that-nobody-may-see-" + b"x" * (size - 31)).decode()


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        (base64.b64encode(b"canary-short").decode(), "it is not written as id:base64"),
        ("k1:" + base64.b64encode(b"canary-short").decode(), "it has 12 bytes and must have 32"),
        ("k1:" + _of(33), "it has 33 bytes and must have 32"),
        ("k1:canary-not-base64!!", "what follows the id is not base64"),
        ("k1:", "it has 0 bytes and must have 32"),
        ("k 1:" + _of(32), "it is not written as id:base64"),
        (f"k1:{_of(32)},k1:{_of(32)}", "stands there twice"),
        (f"k1:{_of(32)},", "key 2 cannot be used"),
    ],
)
async def test_an_unfit_master_key_is_told_apart_and_not_shown(
    command: Command, tmp_path: Path, keys: str, reason: str
) -> None:
    given = {**NEEDED, "MANDATE_MASTER_KEYS": keys}
    ended = await command("serve", MANDATE_DATA_DIR=str(tmp_path), **given)
    _one_line(ended, "MANDATE_MASTER_KEYS", reason)
    assert keys.rpartition(":")[2] == "" or keys.rpartition(":")[2] not in ended.err


async def test_another_master_key_than_the_databases_is_refused(
    command: Command, migrated: str, tmp_path: Path
) -> None:
    first = environment(migrated, "https://login.example")
    async with serving_process(tmp_path, first):
        pass
    other = "k1:" + base64.b64encode(b"another key of the tests, 32 ...").decode()
    renamed = "k2:" + MASTER_KEYS.partition(":")[2]
    for keys, hint in ((other, "is not the one that sealed this"), (renamed, "MANDATE_MASTER_KEYS does not hold")):
        given = {**first, "MANDATE_PUBLIC_URL": "https://mandate.example", "MANDATE_MASTER_KEYS": keys}
        ended = await command("serve", MANDATE_DATA_DIR=str(tmp_path), **given)
        _one_line(ended, "The master key does not fit this database", hint)


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        (NOWHERE, "does not answer"),
        ("postgresql://mandate:canary-password@no-such-host.invalid/mandate", "does not answer"),
        ("mysql://mandate:canary-password@127.0.0.1/mandate", "DATABASE_URL is not an address"),
        ("canary-garbage", "DATABASE_URL is not an address"),
        ("postgresql://mandate:canary-password@127.0.0.1:port/mandate", "DATABASE_URL is not an address"),
    ],
)
@pytest.mark.parametrize("name", ["serve", "migrate"])
async def test_a_database_out_of_reach_is_one_line(
    command: Command, tmp_path: Path, name: str, url: str, hint: str
) -> None:
    ended = await command(name, MANDATE_DATA_DIR=str(tmp_path), **{**NEEDED, "DATABASE_URL": url})
    _one_line(ended, hint)


@pytest.mark.parametrize("name", ["serve", "migrate"])
async def test_a_database_that_does_not_exist_is_one_line(
    command: Command, tmp_path: Path, postgres_url: str, name: str
) -> None:
    url = urlsplit(postgres_url)._replace(path="/no_such_database").geturl()
    ended = await command(name, MANDATE_DATA_DIR=str(tmp_path), **{**NEEDED, "DATABASE_URL": url})
    _one_line(ended, "does not exist")


async def test_a_database_that_is_not_migrated_is_one_line(
    command: Command, tmp_path: Path, fresh_database: str
) -> None:
    ended = await command("serve", MANDATE_DATA_DIR=str(tmp_path), **{**NEEDED, "DATABASE_URL": fresh_database})
    _one_line(ended, "run `mandate migrate` first")


async def test_migrating_twice_is_the_same_as_once(command: Command, fresh_database: str) -> None:
    first = await command("migrate", DATABASE_URL=fresh_database)
    again = await command("migrate", DATABASE_URL=fresh_database)
    assert (first.code, first.err) == (0, "")
    assert first == again


async def test_a_redis_address_that_is_none_is_one_line(command: Command, tmp_path: Path, migrated: str) -> None:
    given = {**NEEDED, "DATABASE_URL": migrated, "REDIS_URL": "canary://nonsense"}
    _one_line(await command("serve", MANDATE_DATA_DIR=str(tmp_path), **given), "REDIS_URL is not an address")


@pytest.mark.parametrize("command", ["serve", "dev"])
async def test_a_port_in_use_is_one_line(tmp_path: Path, migrated: str, command: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        given: Mapping[str, str] = {**NEEDED, "DATABASE_URL": migrated, "MANDATE_DATA_DIR": str(tmp_path)}
        _one_line(await mandate(command, "--port", port, **given), f"port {port}", "--port")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])  # noqa: S104 - refused
async def test_development_never_leaves_this_machine(command: Command, tmp_path: Path, host: str) -> None:
    ended = await command("dev", "--host", host, MANDATE_DATA_DIR=str(tmp_path))
    _one_line(ended, "listens on this machine only", "mandate serve")


async def test_a_token_is_the_only_thing_on_stdout(tmp_path: Path) -> None:
    words = ("--tenant", "acme", "--subject", "ada", "--role", "owner")
    ended = await mandate("token", *words, MANDATE_DATA_DIR=str(tmp_path))
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.count("\n") == 1
    assert ended.out.strip().count(".") == 2
    assert (tmp_path / "development.key").stat().st_mode & 0o077 == 0


async def test_a_key_file_that_others_can_read_is_refused(command: Command, tmp_path: Path) -> None:
    (tmp_path / "development.key").write_text("canary")
    (tmp_path / "development.key").chmod(0o644)
    words = ("--tenant", "acme", "--subject", "ada", "--role", "owner")
    _one_line(await command("token", *words, MANDATE_DATA_DIR=str(tmp_path)), "chmod 600")


@pytest.mark.parametrize("tenant", ["", "two words", "x" * 201, "ünï"])
async def test_a_tenant_that_no_token_may_carry_is_refused(command: Command, tmp_path: Path, tenant: str) -> None:
    words = ("--tenant", tenant, "--subject", "ada", "--role", "owner")
    _one_line(await command("token", *words, MANDATE_DATA_DIR=str(tmp_path)), "--tenant")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("nothing",),
        ("serve", "--port", "banana"),
        ("serve", "--port", "0"),
        ("serve", "--port", "65536"),
        ("serve", "--nothing"),
        ("token", "--tenant", "acme"),
        ("token", "--tenant", "acme", "--subject", "ada", "--role", "agent"),
        ("token", "--tenant", "acme", "--subject", "ada", "--role", "king"),
    ],
)
async def test_wrong_usage_is_exit_code_2(command: Command, words: tuple[str, ...]) -> None:
    ended = await command(*words)
    assert ended.code == 2
    assert ended.out == ""
    assert "usage: mandate" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (None, "cannot be read"),
        ("not = [toml", "is not TOML"),
        ("[integrations.github]\nclient_secret = 7", "integrations.github.client_secret"),
        ("[integrations.github]\nbase_url = 'canary'", "integrations.github.base_url"),
        ("[unknown]\na = 1", "unknown"),
        ("[egress]\nallow = ['nonsense']", "egress.allow"),
    ],
)
async def test_a_file_that_is_wrong_is_named_with_the_place(
    command: Command, tmp_path: Path, text: str | None, hint: str
) -> None:
    file = tmp_path / "mandate.toml"
    if text is not None:
        file.write_text(text)
    ended = await command("serve", **{**NEEDED, "MANDATE_CONFIG": str(file), "MANDATE_DATA_DIR": str(tmp_path)})
    _one_line(ended, str(file), hint)


async def test_the_schema_is_printed_without_any_setting(command: Command) -> None:
    ended = await command("schema")
    assert (ended.code, ended.err) == (0, "")
    assert "type Mutation" in ended.out


# ------------------------------------------------------------------------------------ as its operator sees it


async def test_a_real_process_that_lacks_a_setting_says_so_and_ends_with_1() -> None:
    _one_line(await mandate("serve"), "MANDATE_MASTER_KEYS is not set")


async def test_a_real_process_without_its_database_says_so_and_ends_with_1(tmp_path: Path) -> None:
    _one_line(await mandate("serve", MANDATE_DATA_DIR=str(tmp_path), **NEEDED), "does not answer")


async def test_a_real_process_that_was_asked_wrongly_ends_with_2() -> None:
    ended = await mandate("serve", "--port", "banana")
    assert (ended.code, ended.out) == (2, "")
    assert "usage: mandate" in ended.err


async def test_a_development_database_of_an_earlier_draft_is_set_aside() -> None:
    with tempfile.TemporaryDirectory(prefix="mandate-test-") as name:
        home = Path(name)
        home.chmod(0o755)  # PostgreSQL runs as somebody else when we are root
        settings = Settings.model_validate({"data_dir": home, "file": ConfigFile()})
        async with development(settings, "127.0.0.1", 8000) as made:
            connection = await asyncpg.connect(made.plan.database_url)
            await connection.execute("COMMENT ON TABLE mandate_revision IS NULL")
            await connection.close()
        (home / "sandbox-github.json").write_text("{}")
        async with development(settings, "127.0.0.1", 8000) as again:
            assert "earlier draft" in again.database
        [aside] = home.glob("earlier-draft-*")
        assert {each.name for each in aside.iterdir()} == {"postgres", "sandbox-github.json"}
