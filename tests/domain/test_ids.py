from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import NotFound
from domain.ids import Kind, missing, new_id, public_id, read_id

ID = UUID("0192aabb-ccdd-7eee-8fff-001122334455")
HEX = "0192aabbccdd7eee8fff001122334455"


def test_an_id_is_a_uuid_of_version_7() -> None:
    made = new_id()
    assert (made.version, made.variant) == (7, "specified in RFC 4122")


def test_ids_made_in_different_milliseconds_sort_by_age(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter(n * 1_000_000 for n in range(1_900_000_000_000, 1_900_000_000_100))
    monkeypatch.setattr("domain.ids.time.time_ns", lambda: next(moments))
    made = [new_id() for _ in range(100)]
    assert made == sorted(made)


def test_an_id_begins_with_its_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domain.ids.time.time_ns", lambda: 0x0192AABBCCDD * 1_000_000 + 999_999)
    assert new_id().hex.startswith("0192aabbccdd7")


def test_ids_of_one_millisecond_differ() -> None:
    assert len({new_id() for _ in range(10_000)}) == 10_000


@pytest.mark.parametrize("kind", Kind)
def test_a_public_id_says_what_it_is_and_is_read_back(kind: Kind) -> None:
    text = public_id(kind, ID)
    assert text == f"{kind.value}_{HEX}"
    assert read_id(kind, text) == ID


@given(st.uuids(), st.sampled_from(Kind))
def test_every_id_is_read_back(value: UUID, kind: Kind) -> None:
    assert read_id(kind, public_id(kind, value)) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "con",
        "con_",
        HEX,
        f"agt_{HEX}",
        f"CON_{HEX}",
        f"con_{HEX.upper()}",
        f"con_{HEX}0",
        f"con_{HEX[:-1]}",
        f"con_{HEX}\n",
        f" con_{HEX}",
        f"con_{ID}",
        f"con__{HEX}",
        "con_" + "٣" * 32,
        "con_" + "g" * 32,
        f"con_{HEX}\0",
    ],
)
def test_anything_else_is_told_like_a_thing_that_is_not_there(text: str) -> None:
    with pytest.raises(NotFound) as refused:
        read_id(Kind.CONNECTION, text, "input", "connection")
    assert refused.value.message == missing(Kind.CONNECTION) == "There is no such connection."
    assert refused.value.path == ("input", "connection")


@given(st.text(), st.sampled_from(Kind))
def test_no_text_breaks_the_reader(text: str, kind: Kind) -> None:
    try:
        read = read_id(kind, text)
    except NotFound:
        return
    assert public_id(kind, read) == text


def test_every_kind_has_a_prefix_of_its_own_and_a_word() -> None:
    assert len({kind.value for kind in Kind}) == len(Kind)
    assert len({missing(kind) for kind in Kind}) == len(Kind)
