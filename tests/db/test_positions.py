"""Positions: 1, 2, 3 … in the order of commits, whoever writes (and nobody waits for ever)."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.executions import Verdict
from domain.history import Event, Occurrence
from tests.db.ground import Ground, Party, add_party, finish, opened

WRITERS = 200


@pytest.fixture(scope="module")
async def other(ground: Ground) -> AsyncIterator[Ground]:
    """A second process on the same database."""
    async with opened(ground.url, pool_size=5) as made:
        yield made


async def write(ground: Ground, party: Party, way: str) -> int:
    """Write in one of the ways there are; how many events that makes."""
    if way == "store":
        async with ground.stores.of(party.tenant) as store:
            store.history.note(Occurrence(type="agent.created", actor="user:ada"))
            store.history.note(Occurrence(type="agent.frozen", actor="user:ada"))
        return 2
    if way == "rolled back":
        with pytest.raises(LookupError):
            async with ground.stores.of(party.tenant) as store:
                store.history.note(Occurrence(type="agent.created", actor="user:ada"))
                await store.history.write()
                raise LookupError
        return 0
    if way == "refuse":
        await ground.gate.refuse(party.tenant, Occurrence(type="execution.refused", actor="agent:1"))
        return 1
    intent = party.intent()
    await ground.gate.admit(intent)
    if way == "admit":
        return 1
    await ground.gate.finish(finish(intent))
    return 2


WAYS = ("store", "rolled back", "refuse", "admit", "admit and finish")


async def begun(ground: Ground) -> Party:
    """A tenant with a history, as each has that can be admitted to anything: connecting an account is an event.

    What has no ticket yet cannot be locked in its place, so two batches that both meet it could wait for each other.
    """
    party = await add_party(ground)
    await write(ground, party, "refuse")
    return party


def numbers(events: Sequence[Event]) -> list[int]:
    return [event.position for event in events]


async def test_positions_have_no_gap_whoever_writes(ground: Ground, other: Ground) -> None:
    parties = [await begun(ground) for _ in range(5)]
    chance = random.Random(7)  # noqa: S311 - the same every time
    work = [(chance.choice((ground, other)), chance.choice(parties), chance.choice(WAYS)) for _ in range(WRITERS)]
    made = await asyncio.gather(*(write(*each) for each in work))
    for party in parties:
        expected = 1 + sum(many for many, (_, whose, _) in zip(made, work, strict=True) if whose is party)
        events = await ground.history(party.tenant)
        assert numbers(events) == list(range(1, expected + 1))
        assert await other.gate.heads([party.tenant]) == {party.tenant: expected}


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ways=st.lists(st.tuples(st.sampled_from(WAYS), st.integers(0, 1), st.booleans()), min_size=1, max_size=12))
async def test_any_mixture_of_writers_leaves_no_gap(
    ground: Ground, other: Ground, ways: list[tuple[str, int, bool]]
) -> None:
    parties = [await begun(ground) for _ in range(2)]
    made = await asyncio.gather(
        *(write(other if is_other else ground, parties[whose], way) for way, whose, is_other in ways)
    )
    for number, party in enumerate(parties):
        expected = 1 + sum(many for many, (_, whose, _) in zip(made, ways, strict=True) if whose == number)
        assert numbers(await ground.history(party.tenant)) == list(range(1, expected + 1))


async def test_a_reader_at_a_position_has_missed_nothing_before_it(ground: Ground, other: Ground, party: Party) -> None:
    """While others write, every look at history is a beginning of what it is in the end."""
    looks: list[list[int]] = []
    is_over = asyncio.Event()

    async def look() -> None:
        while not is_over.is_set():
            looks.append(numbers(await other.history(party.tenant)))

    looking = asyncio.create_task(look())
    await asyncio.gather(*(write(ground, party, way) for way in WAYS * 10))
    is_over.set()
    await looking
    assert looks
    assert all(look == list(range(1, len(look) + 1)) for look in looks)


async def test_within_a_tenant_events_are_in_the_order_of_their_commits(ground: Ground, party: Party) -> None:
    """A result stands after its beginning, and what began after a result was told stands after that result."""
    for _ in range(3):
        await asyncio.gather(*(write(ground, party, "admit and finish") for _ in range(10)))
    events = await ground.history(party.tenant)
    begun = {event.execution_id: event.position for event in events if event.type == "execution.started"}
    ended = {event.execution_id: event.position for event in events if event.type == "execution.succeeded"}
    assert begun.keys() == ended.keys()
    assert all(begun[each] < ended[each] for each in begun)
    # Each of the three rounds was over before the next began: its 20 events stand together.
    for start in (0, 20, 40):
        round_of = {event.execution_id for event in events[start : start + 20]}
        assert len(round_of) == 10


async def test_two_processes_with_the_same_keys_neither_double_nor_lock_each_other_out(
    ground: Ground, other: Ground
) -> None:
    parties = [await add_party(ground) for _ in range(4)]
    intents = [party.intent(f"key-{n}") for n in range(15) for party in parties]
    again = [party.intent(f"key-{n}") for n in reversed(range(15)) for party in reversed(parties)]
    async with asyncio.timeout(30):
        answers = await asyncio.gather(*map(ground.gate.admit, intents), *map(other.gate.admit, again))
    verdicts = [answer.verdict for answer in answers]
    assert verdicts.count(Verdict.ADMITTED) == verdicts.count(Verdict.DUPLICATE) == 60
    for party in parties:
        assert numbers(await ground.history(party.tenant)) == list(range(1, 16))


async def test_what_is_committed_is_told_and_what_is_rolled_back_is_not(ground: Ground, party: Party) -> None:
    await write(ground, party, "store")
    await write(ground, party, "rolled back")
    async with ground.stores.of(party.tenant):
        pass
    assert [told for told in ground.told if told[0] == party.tenant] == [(party.tenant, 2)]
