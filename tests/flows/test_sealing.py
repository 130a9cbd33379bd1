"""History under seals: made beside the hot path, whole at any moment, and telling of whatever was done to it (U2)."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest
import structlog

from db.across import Across
from domain.history import Occurrence
from domain.ids import new_id
from gateway.auditing import lines
from gateway.sealing import Sealer
from tests.db.ground import Ground, new_tenant, opened
from tests.support.servers import new_database
from tests.vault.sealed import KEY
from vault.anchors import Anchors
from vault.verifying import Report, check_export

RECORDS, PORTION = 10_000, 640
Database: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@dataclass(frozen=True)
class Archive:
    """A database with sealers, and a folder beside it for what they keep."""

    ground: Ground
    folder: Path

    def sealer(self, folder: Path | None = None) -> Sealer:
        anchors = Anchors(folder or self.folder, KEY.public.id)
        return Sealer(Across(self.ground.database.pool), self.ground.stores, KEY, anchors)

    async def note(self, tenant: str, many: int = 1) -> None:
        async with self.ground.stores.of(tenant) as store:
            for number in range(many):
                store.history.note(Occurrence(type="grant.created", actor=f"user:{number}", reason="ü" * (number % 3)))

    async def checked(self, tenant: str, folder: Path | None = None) -> Report:
        anchors = Anchors(folder or self.folder, KEY.public.id)
        return check_export([line async for line in lines(self.ground.stores, KEY, anchors, tenant)])

    @asynccontextmanager
    async def as_somebody_with_every_right(self) -> AsyncIterator[Database]:
        """Triggers do not stop a superuser who says so."""
        async with self.ground.as_owner() as owner:
            await owner.execute("SET session_replication_role = replica")
            yield owner


@pytest.fixture(scope="module")
async def archive(
    postgres_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Archive]:
    async with new_database(postgres_url, migrated_template) as address, opened(address) as ground:
        yield Archive(ground, tmp_path_factory.mktemp("anchors"))


async def test_every_record_comes_under_a_seal_and_none_twice(archive: Archive) -> None:
    tenant, sealer = new_tenant(), archive.sealer()
    for many in (1, 7, 450):
        await archive.note(tenant, many)
        assert await sealer.round() == 1
    assert await sealer.round() == 0
    report = await archive.checked(tenant)
    assert (report.findings, report.notes) == ([], [])
    assert (report.records, report.seals, report.sealed_to) == (458, 3, 458)


async def test_what_is_not_sealed_yet_is_said_and_is_no_fault(archive: Archive) -> None:
    tenant = new_tenant()
    await archive.note(tenant, 3)
    assert (await archive.checked(tenant)).notes == ["3 records are younger than the last seal."]
    await archive.sealer().round()
    await archive.note(tenant, 2)
    report = await archive.checked(tenant)
    assert (report.findings, report.notes) == ([], ["2 records are younger than the last seal."])


async def test_sealers_of_several_processes_do_not_get_in_each_others_way(archive: Archive, tmp_path: Path) -> None:
    tenants = [new_tenant() for _ in range(5)]
    sealers = [archive.sealer(tmp_path / str(number)) for number in range(4)]

    async def write(tenant: str) -> None:
        for number in range(12):
            await archive.note(tenant, number % 4 + 1)

    async def seal(sealer: Sealer) -> None:
        for _ in range(15):
            await sealer.round()

    await asyncio.gather(*(write(each) for each in tenants), *(seal(each) for each in sealers))
    await sealers[0].round()
    for tenant in tenants:
        report = await archive.checked(tenant, tmp_path / "3")
        assert (report.findings, report.notes, report.sealed_to) == ([], [], 30)


async def test_more_than_one_seal_holds_is_sealed_in_one_round(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.sealing._LARGEST", 200)
    tenant = new_tenant()
    await archive.note(tenant, 450)
    assert await archive.sealer().round() == 3
    assert (await archive.checked(tenant)).is_whole


async def test_the_application_itself_cannot_change_a_seal(archive: Archive) -> None:
    tenant = new_tenant()
    await archive.note(tenant)
    await archive.sealer().round()
    async with archive.ground.as_owner() as owner:
        for statement in ("UPDATE history_seals SET number = 2", "DELETE FROM history_seals", "TRUNCATE history_seals"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
                await owner.execute(statement)


# --------------------------------------------------------------------- ten thousand records, and every right

TAMPERINGS = {
    "change who": "UPDATE history SET actor = 'user:nobody' WHERE tenant = $1 AND position = $2::bigint",
    "change when": "UPDATE history SET occurred_at = now() WHERE tenant = $1 AND position = $2::bigint",
    "change what": "UPDATE history SET type = 'grant.revoked' WHERE tenant = $1 AND position = $2::bigint",
    "say what was left out": "UPDATE history SET duration_ms = 1 WHERE tenant = $1 AND position = $2::bigint",
    "delete": "DELETE FROM history WHERE tenant = $1 AND position = $2::bigint",
    "insert before all": """
        INSERT INTO history (tenant, position, id, type, occurred_at, actor)
        SELECT $1, -$2::bigint, gen_random_uuid(), 'grant.created', now(), 'user:nobody'
    """,
    "insert far behind": """
        INSERT INTO history (tenant, position, id, type, occurred_at, actor)
        SELECT $1, 10001 + $2::bigint, gen_random_uuid(), 'grant.created', now(), 'user:nobody'
    """,
    "move what follows": "UPDATE history SET position = position + 10000 WHERE tenant = $1 AND position >= $2::bigint",
    "reorder": """
        UPDATE history h SET id = o.id, actor = o.actor, occurred_at = o.occurred_at, reason = o.reason
        FROM history o WHERE h.tenant = $1 AND o.tenant = $1
          AND (h.position, o.position) IN (($2::bigint, $2::bigint % 9999 + 1), ($2::bigint % 9999 + 1, $2::bigint))
    """,
    "cut the tail": "DELETE FROM history WHERE tenant = $1 AND position > $2::bigint",
    "cut the tail and its seals": """
        WITH cut AS (DELETE FROM history WHERE tenant = $1 AND position > $2::bigint / 640 * 640),
             head AS (UPDATE history_heads SET position = $2::bigint / 640 * 640 WHERE tenant = $1)
        DELETE FROM history_seals WHERE tenant = $1 AND last_position > $2::bigint / 640 * 640
    """,
    "delete a seal": "DELETE FROM history_seals WHERE tenant = $1 AND number = $2::bigint % 15 + 1",
    "change a seal": "UPDATE history_seals SET root = sha256(root) WHERE tenant = $1 AND number = $2::bigint % 15 + 1",
    "change the first record and its seal's signature": """
        WITH changed AS (UPDATE history SET actor = 'x' WHERE tenant = $1 AND position = 1 AND $2::bigint > 0)
        UPDATE history_seals SET signature = sha512(signature) WHERE tenant = $1 AND number = 1
    """,
    "delete everything": """
        WITH gone AS (DELETE FROM history WHERE tenant = $1 AND $2::bigint > 0),
             head AS (DELETE FROM history_heads WHERE tenant = $1)
        DELETE FROM history_seals WHERE tenant = $1
    """,
}
_TABLES = ("history", "history_heads", "history_seals", "history_sealed")


@pytest.fixture(scope="module")
async def long(archive: Archive) -> str:
    """A tenant with ten thousand records under sixteen seals, and a copy of it all."""
    tenant, sealer = new_tenant(), archive.sealer()
    async with archive.ground.as_owner() as owner:
        for first in range(1, RECORDS + 1, PORTION):
            last = min(first + PORTION - 1, RECORDS)
            await owner.execute(
                "INSERT INTO history (tenant, position, id, type, occurred_at, actor, reason) SELECT $1, n,"
                " gen_random_uuid(), 'grant.created', now() + n * interval '1 us', 'user:' || n, 'r' || n"
                " FROM generate_series($2::bigint, $3::bigint) n",
                tenant,
                first,
                last,
            )
            await owner.execute(
                "INSERT INTO history_heads VALUES ($1, $2) ON CONFLICT (tenant) DO UPDATE SET position = $2",
                tenant,
                last,
            )
            await sealer.round()
        for table in _TABLES:
            await owner.execute(f"CREATE TABLE kept_{table} AS SELECT * FROM {table} WHERE tenant = '{tenant}'")  # noqa: S608
    report = await archive.checked(tenant)
    assert (report.findings, report.records, report.seals, report.sealed_to) == ([], RECORDS, 16, RECORDS)
    return tenant


async def _put_back(owner: Database, tenant: str) -> None:
    for table in _TABLES:
        await owner.execute(f"DELETE FROM {table} WHERE tenant = $1", tenant)  # noqa: S608 - our tables
        await owner.execute(f"INSERT INTO {table} SELECT * FROM kept_{table}")  # noqa: S608 - our tables


@pytest.mark.parametrize("kind", TAMPERINGS)
async def test_tampering_with_every_right_but_the_key_shows(archive: Archive, long: str, kind: str) -> None:
    dice = random.Random(kind)  # noqa: S311 - the same dice every time
    async with archive.as_somebody_with_every_right() as owner:
        await owner.execute(TAMPERINGS[kind], long, dice.randrange(700, RECORDS - 700))
        found = (await archive.checked(long)).findings
        await _put_back(owner, long)
    assert found


async def test_what_was_put_back_is_whole_again(archive: Archive, long: str) -> None:
    """So that the cases above have each found what they did, and not what the one before left."""
    assert (await archive.checked(long)).findings == []


async def test_what_is_left_after_a_cut_is_not_sealed_over_in_silence(archive: Archive, tmp_path: Path) -> None:
    """The sealer goes on with the history as it is, says so in the log, and keeps the lost seal as evidence."""
    tenant, sealer = new_tenant(), archive.sealer(tmp_path)
    for _ in range(3):
        await archive.note(tenant, 5)
        await sealer.round()
    async with archive.as_somebody_with_every_right() as owner:
        await owner.execute("DELETE FROM history WHERE tenant = $1 AND position > 10", tenant)
        await owner.execute("DELETE FROM history_seals WHERE tenant = $1 AND number > 2", tenant)
        await owner.execute("UPDATE history_heads SET position = 10 WHERE tenant = $1", tenant)
    await archive.note(tenant, 6)
    with structlog.testing.capture_logs() as told:
        assert await sealer.round() == 1
    assert [each["event"] for each in told] == ["history_lost_a_seal"]
    await archive.note(tenant, 5)
    await sealer.round()
    assert "Seal 3" in (await archive.checked(tenant, tmp_path)).findings[0]
    async with archive.ground.stores.of(tenant) as store:
        assert [each.number for each in await store.seals.page(0, 10)] == [1, 2, 3, 4]


async def test_a_record_that_pretends_to_be_next_is_not_sealed_before_its_time(archive: Archive) -> None:
    tenant, sealer = new_tenant(), archive.sealer()
    await archive.note(tenant, 2)
    async with archive.as_somebody_with_every_right() as owner:
        await owner.execute(
            "INSERT INTO history (tenant, position, id, type, occurred_at, actor) VALUES ($1, 3, $2, 'x', now(), 'x')",
            tenant,
            new_id(),
        )
    await sealer.round()
    assert (await archive.checked(tenant)).sealed_to == 2
