"""Figures about use are what history says, counted here once more by hand over a made-up year."""

import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import ceil
from uuid import UUID

import pytest

from domain.ids import new_id
from domain.usage import COUNTED, Span, Tally, UsageDimension, UsageInterval, buckets
from tests.db.ground import Ground, add_agent, add_connection, new_tenant

START = datetime(2026, 1, 1, tzinfo=UTC)
TYPES = (*COUNTED, "execution.started", "execution.queued", "execution.resolved", "grant.created")
Line = tuple[datetime, str, str | None, str | None, UUID | None, UUID | None, int | None]


@pytest.fixture(scope="module")
async def year(ground: Ground) -> tuple[str, list[Line]]:
    """A tenant's history of five thousand lines, many of them at the very edge of an hour."""
    tenant, dice = new_tenant(), random.Random(20260101)  # noqa: S311 - the same dice every time
    agents = [(await add_agent(ground, tenant, name)).id for name in ("one", "two", "three")]
    accounts = [(await add_connection(ground, tenant, name)).id for name in ("1", "2")]
    lines = [_line(dice, agents, accounts) for _ in range(5_000)]
    places = list(range(1, len(lines) + 1))
    columns = [list(each) for each in zip(*lines, strict=True)]
    async with ground.as_owner() as owner:
        await owner.execute(
            "INSERT INTO history (tenant, position, id, occurred_at, type, actor, integration, action, agent_id,"
            " connection_id, duration_ms) SELECT $1, place, id, at, type, 'x', i, a, agent, c, d FROM unnest($2::int[],"
            " $3::uuid[], $4::timestamptz[], $5::text[], $6::text[], $7::text[], $8::uuid[], $9::uuid[], $10::int[])"
            " AS made (place, id, at, type, i, a, agent, c, d)",
            tenant,
            places,
            [new_id() for _ in places],
            *columns,
        )
    return tenant, lines


def _line(dice: random.Random, agents: list[UUID], accounts: list[UUID]) -> Line:
    edge = timedelta(microseconds=dice.choice((-1, 0, 1)))
    at = (
        START + timedelta(hours=dice.randrange(24 * 360)) + dice.choice((edge, timedelta(seconds=dice.random() * 3600)))
    )
    kind, action = dice.choice(TYPES), dice.choice(("harbour.moor", "harbour.sail", "harbour.look"))
    is_refused = kind == "execution.refused"
    agent, account = dice.choice([*agents, None]), None if is_refused else dice.choice(accounts)
    duration = None if is_refused or kind == "execution.cancelled" else dice.randrange(1, 900)
    return at, kind, "harbour", action, agent, account, duration


def _tally(lines: Sequence[Line]) -> Tally:
    kinds = [line[1] for line in lines]
    took = sorted(line[6] for line in lines if line[6] is not None)
    middle = [took[max(ceil(part * len(took)) - 1, 0)] if took else None for part in (0.5, 0.95)]
    counts = [kinds.count(f"execution.{each}") for each in ("succeeded", "failed", "unknown", "refused")]
    return Tally(len(lines), *counts, *middle)


def _counted(lines: list[Line], span: Span) -> list[Line]:
    return [line for line in lines if line[1] in COUNTED and span.since <= line[0] < span.until]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("interval", list(UsageInterval))
async def test_buckets_are_what_counting_by_hand_gives(
    ground: Ground, year: tuple[str, list[Line]], seed: int, interval: UsageInterval
) -> None:
    tenant, lines = year
    dice = random.Random(seed)  # noqa: S311 - the same dice every time
    since = START + timedelta(hours=dice.randrange(8_000), minutes=dice.choice((0, 0, 17)))
    span = Span(since, since + timedelta(hours=dice.randrange(1, 700)))
    agent = dice.choice([None, *{line[4] for line in lines}])
    async with ground.stores.of(tenant) as store:
        found = await store.usage.by_time(span, interval, "harbour", agent)
    by_start: dict[datetime, list[Line]] = defaultdict(list)
    for line in _counted(lines, span):
        if agent in (None, line[4]):
            hour = line[0].replace(minute=0, second=0, microsecond=0)
            by_start[hour if interval is UsageInterval.HOUR else hour.replace(hour=0)].append(line)
    assert found == {start: _tally(each) for start, each in by_start.items()}
    assert sum(each.tally.executions for each in buckets(span, interval, found)) == sum(map(len, by_start.values()))


@pytest.mark.parametrize("dimension", list(UsageDimension))
async def test_shares_are_what_counting_by_hand_gives(
    ground: Ground, year: tuple[str, list[Line]], dimension: UsageDimension
) -> None:
    tenant, lines = year
    column = {"INTEGRATION": 2, "ACTION": 3, "AGENT": 4, "CONNECTION": 5}[dimension.value]
    span = Span(START + timedelta(days=20), START + timedelta(days=300, hours=5))
    expected: dict[object, list[Line]] = defaultdict(list)
    for line in _counted(lines, span):
        key = line[column]
        expected[key.hex if isinstance(key, UUID) else key].append(line)
    async with ground.stores.of(tenant) as store:
        found = await store.usage.by(dimension, span, 100)
        first = await store.usage.by(dimension, span, 1)
    assert {each.key: each.tally for each in found} == {key: _tally(each) for key, each in expected.items()}
    assert [each.tally.executions for each in found] == sorted(map(len, expected.values()), reverse=True)
    assert first == found[:1]


async def test_nothing_of_another_tenant_is_counted(ground: Ground, year: tuple[str, list[Line]]) -> None:
    span = Span(START, START + timedelta(days=365))
    async with ground.stores.of(new_tenant()) as store:
        assert await store.usage.by_time(span, UsageInterval.DAY, None, None) == {}
        assert await store.usage.by(UsageDimension.ACTION, span, 10) == []


async def test_counting_reads_the_index_of_ends(ground: Ground, year: tuple[str, list[Line]]) -> None:
    tenant, _ = year
    kinds = ", ".join(f"'{each}'" for each in COUNTED)
    async with ground.as_owner() as owner, owner.transaction():
        await owner.execute("SET LOCAL enable_seqscan = off")
        plan = await owner.fetch(
            f"EXPLAIN SELECT count(*) FROM history WHERE tenant = $1 AND occurred_at >= now() AND type IN ({kinds})",  # noqa: S608
            tenant,
        )
    assert any("history_ends" in row[0] for row in plan)
