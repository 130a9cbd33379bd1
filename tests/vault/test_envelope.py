"""Cipher rows are bound to their place (promise S2): moved, exchanged, aged or changed by one bit, none opens."""

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import CredentialUnreadable
from domain.sealed import Sealed, WrappedKey
from tests.vault.counting import CountingKeyring
from vault.envelope import Envelope
from vault.master_keys import KEY_BYTES, LocalMasterKeys

PLAIN = b"canary-7f3a9c"
ROW, OTHER_ROW = UUID(int=1), UUID(int=2)
MASTER = {"k1": b"m" * KEY_BYTES}


def new_envelope(keys: dict[str, bytes] | None = None) -> Envelope:
    """One that keeps nothing from before."""
    return Envelope(LocalMasterKeys(keys or MASTER))


async def seal(
    key: WrappedKey, *, tenant: str = "acme", row: UUID = ROW, purpose: str = "credential", version: int = 1
) -> Sealed:
    return await new_envelope().seal(key, PLAIN, purpose=purpose, tenant=tenant, subject=row, version=version)


async def open_in(
    sealed: Sealed, *, tenant: str = "acme", row: UUID = ROW, purpose: str = "credential", by: Envelope | None = None
) -> bytes:
    return await (by or new_envelope()).open(sealed, purpose=purpose, tenant=tenant, subject=row)


async def refused(sealed: Sealed, **place: object) -> CredentialUnreadable:
    with pytest.raises(CredentialUnreadable) as caught:
        await open_in(sealed, **place)  # type: ignore[arg-type]  # a place, spelled by the test
    assert "canary" not in str(caught.value)
    return caught.value


@pytest.fixture
async def key() -> WrappedKey:
    return await new_envelope().new_key("acme")


async def test_what_was_sealed_opens_in_its_place(key: WrappedKey) -> None:
    sealed = await seal(key)
    assert PLAIN not in sealed.ciphertext
    assert await open_in(sealed) == PLAIN


async def test_sealing_the_same_twice_gives_nothing_equal(key: WrappedKey) -> None:
    assert (await seal(key)).ciphertext != (await seal(key)).ciphertext


async def test_in_another_row_it_does_not_open(key: WrappedKey) -> None:
    await refused(await seal(key), row=OTHER_ROW)


async def test_for_another_purpose_it_does_not_open(key: WrappedKey) -> None:
    await refused(await seal(key, purpose="pkce-verifier"))


async def test_for_another_tenant_it_does_not_open(key: WrappedKey) -> None:
    await refused(await seal(key), tenant="umbrella")


async def test_a_tenants_key_does_not_open_in_the_row_of_another_tenant(key: WrappedKey) -> None:
    # Both the data key and the secret are bound to the tenant: moving both together changes nothing.
    sealed = await seal(key)
    theirs = await new_envelope().new_key("umbrella")
    await refused(replace(sealed, key=theirs), tenant="umbrella")
    await refused(replace(sealed, key=theirs))


async def test_an_older_version_does_not_open_in_the_place_of_a_newer_one(key: WrappedKey) -> None:
    await refused(replace(await seal(key, version=1), version=2))


async def test_the_ciphertext_of_another_row_does_not_open(key: WrappedKey) -> None:
    mine, other = await seal(key), await seal(key, row=OTHER_ROW)
    await refused(replace(mine, ciphertext=other.ciphertext))


async def test_a_wrapped_key_under_another_id_does_not_open(key: WrappedKey) -> None:
    await refused(replace(await seal(key), key=replace(key, id=OTHER_ROW)))


async def test_every_bit_of_a_sealed_secret_counts(key: WrappedKey) -> None:
    sealed = await seal(key)
    warm = new_envelope()
    assert await open_in(sealed, by=warm) == PLAIN
    for flipped in each_bit_flipped(sealed.ciphertext):
        await refused(replace(sealed, ciphertext=flipped), by=warm)


async def test_every_bit_of_a_wrapped_key_counts_even_for_who_has_it_in_memory(key: WrappedKey) -> None:
    sealed = await seal(key)
    warm = new_envelope()
    assert await open_in(sealed, by=warm) == PLAIN
    for flipped in each_bit_flipped(key.wrapped):
        await refused(replace(sealed, key=replace(key, wrapped=flipped)), by=warm)


@pytest.mark.parametrize("length", [0, 1, 11, 12, 13, 27, 28])
async def test_what_was_cut_short_does_not_open(key: WrappedKey, length: int) -> None:
    sealed = await seal(key)
    await refused(replace(sealed, ciphertext=sealed.ciphertext[:length]))
    await refused(replace(sealed, key=replace(key, wrapped=key.wrapped[:length])))


@given(st.binary(max_size=80))
async def test_no_bytes_open_by_chance(ciphertext: bytes) -> None:
    key = await new_envelope().new_key("acme")
    await refused(Sealed(key, 1, ciphertext))


async def test_another_master_key_of_the_same_name_is_told_apart(key: WrappedKey) -> None:
    caught = await refused(await seal(key), by=new_envelope({"k1": b"x" * KEY_BYTES}))
    assert caught.message == "The master key 'k1' is not the one that sealed this. Put the right key back."


async def test_a_master_key_that_is_gone_is_named(key: WrappedKey) -> None:
    caught = await refused(await seal(key), by=new_envelope({"k2": b"m" * KEY_BYTES}))
    assert caught.message == "Sealed with the master key 'k1', which MANDATE_MASTER_KEYS does not hold. Add it back."


async def test_a_new_master_key_wraps_and_the_old_one_still_opens(key: WrappedKey) -> None:
    rotated = new_envelope({"k2": b"n" * KEY_BYTES, **MASTER})
    assert (await rotated.new_key("acme")).master_key == "k2"
    assert await open_in(await seal(key), by=rotated) == PLAIN


async def test_tenants_whose_names_run_together_are_not_mixed_up() -> None:
    # "a" + "bc" and "ab" + "c": the parts of a place are separated.
    envelope = new_envelope()
    key = await envelope.new_key("acme\0x")
    sealed = await envelope.seal(key, PLAIN, purpose="p", tenant="acme\0x", subject=ROW, version=1)
    await refused(sealed, tenant="acme", purpose="p", by=envelope)


async def test_a_data_key_is_unwrapped_once_for_many_openings(key: WrappedKey) -> None:
    keyring = CountingKeyring(LocalMasterKeys(MASTER))
    envelope = Envelope(keyring)
    sealed = await seal(key)
    for _ in range(3):
        assert await open_in(sealed, by=envelope) == PLAIN
    assert keyring.unwrapped == 1


async def test_a_data_key_is_forgotten_after_minutes(key: WrappedKey, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring, now = CountingKeyring(LocalMasterKeys(MASTER)), [1_000.0]
    monkeypatch.setattr("vault.envelope.time.monotonic", lambda: now[0])
    envelope, sealed = Envelope(keyring), await seal(key)
    await open_in(sealed, by=envelope)
    now[0] += 299
    await open_in(sealed, by=envelope)
    assert keyring.unwrapped == 1
    now[0] += 2
    await open_in(sealed, by=envelope)
    assert keyring.unwrapped == 2


async def test_only_so_many_data_keys_are_kept(key: WrappedKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vault.envelope._KEPT_KEYS", 2)
    keyring = CountingKeyring(LocalMasterKeys(MASTER))
    envelope, first = Envelope(keyring), await seal(key)
    await open_in(first, by=envelope)
    for tenant in ("b", "c"):
        theirs = await envelope.new_key(tenant)
        await envelope.seal(theirs, PLAIN, purpose="p", tenant=tenant, subject=ROW, version=1)
    await open_in(first, by=envelope)
    assert keyring.unwrapped == 4


def each_bit_flipped(value: bytes) -> list[bytes]:
    return [
        value[:index] + bytes([value[index] ^ 1 << bit]) + value[index + 1 :]
        for index in range(len(value))
        for bit in range(8)
    ]
