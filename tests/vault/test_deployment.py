"""The deployment's own keys: the same in every process, and refused under another master key."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Misconfigured
from domain.sealed import WrappedKey
from vault.deployment import Fingerprints, deployment_key
from vault.master_keys import KEY_BYTES, LocalMasterKeys

KEYRING = LocalMasterKeys({"k1": b"m" * KEY_BYTES})


@dataclass
class MemoryKeys:
    """The store, in memory: who offers first wins. The real one is tested with the database."""

    kept: dict[str, WrappedKey] = field(default_factory=dict)

    @asynccontextmanager
    async def of_deployment(self) -> AsyncIterator["MemoryKeys"]:
        await asyncio.sleep(0)
        yield self

    async def settle(self, purpose: str, id: UUID, master_key: str, wrapped: bytes) -> WrappedKey:
        return self.kept.setdefault(purpose, WrappedKey(id, master_key, wrapped))


async def test_processes_that_start_at_once_settle_on_one_key() -> None:
    keys = MemoryKeys()
    made = await asyncio.gather(*(deployment_key(KEYRING, keys, "fingerprints") for _ in range(5)))
    assert len(set(made)) == 1
    assert len(made[0]) == KEY_BYTES


async def test_each_purpose_has_a_key_of_its_own() -> None:
    keys = MemoryKeys()
    assert await deployment_key(KEYRING, keys, "a") != await deployment_key(KEYRING, keys, "b")


async def test_the_key_does_not_lie_open_in_the_store() -> None:
    keys = MemoryKeys()
    made = await deployment_key(KEYRING, keys, "a")
    assert made not in keys.kept["a"].wrapped


async def test_after_a_rotation_the_key_is_the_same() -> None:
    keys = MemoryKeys()
    made = await deployment_key(KEYRING, keys, "a")
    rotated = LocalMasterKeys({"k2": b"n" * KEY_BYTES, "k1": b"m" * KEY_BYTES})
    assert await deployment_key(rotated, keys, "a") == made


@pytest.mark.parametrize("wrong", [{"k1": b"x" * KEY_BYTES}, {"k2": b"m" * KEY_BYTES}])
async def test_another_master_key_is_told_to_the_operator(wrong: dict[str, bytes]) -> None:
    keys = MemoryKeys()
    await deployment_key(KEYRING, keys, "a")
    with pytest.raises(Misconfigured, match=r"^The master key does not fit this database"):
        await deployment_key(LocalMasterKeys(wrong), keys, "a")


async def test_a_key_moved_to_another_purpose_is_not_used() -> None:
    keys = MemoryKeys()
    await deployment_key(KEYRING, keys, "a")
    keys.kept["b"] = keys.kept["a"]
    with pytest.raises(Misconfigured):
        await deployment_key(KEYRING, keys, "b")


async def test_a_key_that_was_cut_short_is_told_to_the_operator() -> None:
    keys = MemoryKeys()
    await deployment_key(KEYRING, keys, "a")
    keys.kept["a"] = replace(keys.kept["a"], wrapped=b"")
    with pytest.raises(Misconfigured):
        await deployment_key(KEYRING, keys, "a")


# ------------------------------------------------------------------------------------------------ fingerprints

parts = st.lists(st.binary(max_size=8), max_size=4)


@given(parts, parts)
def test_fingerprints_are_equal_for_equal_parts_only(one: list[bytes], other: list[bytes]) -> None:
    prints = Fingerprints(b"k" * 32)
    assert (prints.of(*one) == prints.of(*other)) is (one == other)


def test_the_border_between_two_parts_counts() -> None:
    prints = Fingerprints(b"k" * 32)
    assert prints.of(b"ab", b"c") != prints.of(b"a", b"bc")
    assert prints.of(b"a") != prints.of(b"a", b"")


def test_another_key_gives_other_fingerprints() -> None:
    assert Fingerprints(b"k" * 32).of(b"a") != Fingerprints(b"l" * 32).of(b"a")
    assert len(Fingerprints(b"k" * 32).of()) == 32
