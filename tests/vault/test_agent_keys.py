from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Misconfigured
from domain.ids import new_id
from vault.agent_keys import AgentKeys

KEYS = AgentKeys(b"p" * 32)
ID = UUID("0192aabb-ccdd-7eee-8fff-001122334455")
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"


def test_a_key_says_what_it_is_and_people_see_only_its_beginning() -> None:
    minted = KEYS.mint(ID)
    text = minted.token.reveal()
    assert text.startswith("mnd_0192aabbccdd7eee8fff001122334455_")
    assert len(text) == 4 + 32 + 1 + 43 + 1 + 8
    assert minted.prefix == "mnd_0192aabb"


def test_a_minted_key_is_recognised_by_its_digest() -> None:
    minted = KEYS.mint(ID)
    presented = KEYS.recognise(minted.token.reveal())
    assert presented is not None
    assert (presented.id, presented.digest) == (ID, minted.digest)


def test_no_two_keys_are_alike_even_for_one_id() -> None:
    assert KEYS.mint(ID).digest != KEYS.mint(ID).digest


def test_another_pepper_gives_another_digest() -> None:
    minted = KEYS.mint(ID)
    presented = AgentKeys(b"q" * 32).recognise(minted.token.reveal())
    assert presented is not None
    assert presented.digest != minted.digest


def test_a_short_pepper_is_refused() -> None:
    with pytest.raises(Misconfigured):
        AgentKeys(b"p" * 31)


@given(place=st.integers(0, 88), letter=st.sampled_from(LETTERS))
def test_one_wrong_letter_anywhere_is_noticed(place: int, letter: str) -> None:
    text = KEYS.mint(new_id()).token.reveal()
    changed = text[:place] + letter + text[place + 1 :]
    assert changed == text or KEYS.recognise(changed) is None


def test_what_is_not_exactly_a_key_is_not_recognised() -> None:
    text = KEYS.mint(ID).token.reveal()
    for changed in (text.upper(), text + "\n", text[:-1], f" {text}", text * 2, ""):
        assert KEYS.recognise(changed) is None


def test_neither_the_key_nor_its_digest_is_shown() -> None:
    minted = KEYS.mint(ID)
    shown = repr(minted) + repr(KEYS.recognise(minted.token.reveal())) + repr(KEYS)
    assert minted.token.reveal()[37:80] not in shown
    assert repr(minted.digest) not in shown
