"""An exported history is checked with nothing but the file at hand, and whatever was done to it shows (promise U2)."""

import copy
import hashlib
import json
import random
from collections.abc import Callable, Sequence

import pytest

from domain.ids import Kind, public_id
from domain.seals import record_of, root_of
from tests.vault.sealed import KEY, TENANT, Line, end, event, export, sealed
from vault.anchors import written
from vault.signing import SigningKey, public_key
from vault.verifying import Report, check_export, last_seal

RECORDS, EACH = 600, 40
WHOLE = export(RECORDS, EACH, unsealed=7)
EVIL = SigningKey(b"somebody else's seed, 32 bytes .")


def checked(lines: Sequence[Line], **more: object) -> Report:
    return check_export([json.dumps(each) for each in lines], **more)  # type: ignore[arg-type]  # passed on as it is


def places(lines: Sequence[Line], kind: str) -> list[int]:
    """Where the lines of a kind stand."""
    return [place for place, each in enumerate(lines) if each["kind"] == kind]


def test_what_nobody_touched_is_whole() -> None:
    report = checked(WHOLE)
    assert report.findings == []
    assert (report.tenant, report.records, report.seals, report.sealed_to) == (TENANT, RECORDS + 7, 15, RECORDS)
    assert report.notes == ["7 records are younger than the last seal."]


def test_an_empty_history_is_whole() -> None:
    assert checked(export(0, 1)).is_whole


# ------------------------------------------------------------------------------------------------- tampering

Tampering = Callable[[list[Line], random.Random], None]


def _change(lines: list[Line], dice: random.Random) -> None:
    line = lines[dice.choice(places(lines, "record")[:RECORDS])]
    name = dice.choice([each for each in line if each not in ("kind", "position")])
    line[name] = dice.choice(["", "changed", 7, None, f"{line[name]} "])


def _add_a_field(lines: list[Line], dice: random.Random) -> None:
    lines[dice.choice(places(lines, "record")[:RECORDS])]["reason"] = "because"


def _take_one_away(lines: list[Line], dice: random.Random) -> None:
    del lines[dice.choice(places(lines, "record")[:RECORDS])]


def _take_one_away_and_close_the_gap(lines: list[Line], dice: random.Random) -> None:
    gone = dice.choice(places(lines, "record")[:RECORDS])
    del lines[gone]
    for line in lines[gone:]:
        if line["kind"] == "record":
            assert isinstance(line["position"], int)
            line["position"] -= 1


def _put_one_in(lines: list[Line], dice: random.Random) -> None:
    place = dice.choice(places(lines, "record")[:RECORDS])
    lines.insert(place, {**lines[place], "actor": "user:nobody"})


def _move(lines: list[Line], dice: random.Random) -> None:
    one, other = dice.sample(places(lines, "record")[:RECORDS], 2)
    lines[one], lines[other] = lines[other], lines[one]


def _swap_what_two_say(lines: list[Line], dice: random.Random) -> None:
    one, other = dice.sample(places(lines, "record")[:RECORDS], 2)
    lines[one]["position"], lines[other]["position"] = lines[other]["position"], lines[one]["position"]
    lines[one], lines[other] = lines[other], lines[one]


def _cut_the_records(lines: list[Line], dice: random.Random) -> None:
    kept = dice.randrange(RECORDS)
    lines[:] = [
        each
        for each in lines
        if each["kind"] != "record" or not isinstance(each["position"], int) or each["position"] <= kept
    ]


def _cut_the_file(lines: list[Line], dice: random.Random) -> None:
    del lines[dice.randrange(1, len(lines)) :]


def _cut_and_copy_the_end(lines: list[Line], dice: random.Random) -> None:
    last = lines[-1]
    del lines[dice.choice(places(lines, "seal")) + 1 :]
    lines.append(last)


def _take_a_seal_away(lines: list[Line], dice: random.Random) -> None:
    del lines[dice.choice(places(lines, "seal"))]


def _swap_two_seals(lines: list[Line], dice: random.Random) -> None:
    one, other = dice.sample(places(lines, "seal"), 2)
    lines[one], lines[other] = lines[other], lines[one]


def _change_a_seal(lines: list[Line], dice: random.Random) -> None:
    seal = lines[dice.choice(places(lines, "seal"))]
    seal["last"] = sealed(1, 1, 1, None).last + int(str(seal["last"]))


def _change_and_seal_anew_with_another_key(lines: list[Line], dice: random.Random) -> None:
    """Everything is as it should be but for who signed it."""
    forged = sealed(1, 1, EACH, None, EVIL)
    said = json.loads(written(forged))
    said["key"] = dice.choice([EVIL.public.id, KEY.public.id])
    lines[places(lines, "seal")[0]] = {"kind": "seal", **said}


TAMPERINGS: list[Tampering] = [
    _change,
    _add_a_field,
    _take_one_away,
    _take_one_away_and_close_the_gap,
    _put_one_in,
    _move,
    _swap_what_two_say,
    _cut_the_records,
    _cut_the_file,
    _cut_and_copy_the_end,
    _take_a_seal_away,
    _swap_two_seals,
    _change_a_seal,
    _change_and_seal_anew_with_another_key,
]


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda each: each.__name__.strip("_"))
def test_whatever_is_done_shows(tampering: Tampering) -> None:
    for seed in range(10):
        dice = random.Random(seed)  # noqa: S311 - the same dice every time
        lines = copy.deepcopy(WHOLE)
        tampering(lines, dice)
        if lines != WHOLE:
            assert not checked(lines).is_whole, seed


def test_many_records_changed_at_once_show() -> None:
    lines = copy.deepcopy(WHOLE)
    for place in places(lines, "record"):
        lines[place]["actor"] = "user:eve"
    assert len(checked(lines).findings) == 15


def test_a_file_that_is_whole_but_signed_by_another_key_shows_when_the_key_is_known() -> None:
    assert checked(WHOLE, key_id=KEY.public.id).is_whole
    report = checked(WHOLE, key_id=EVIL.public.id)
    assert report.findings == [f"The file was signed by the key {KEY.public.id}, not by {EVIL.public.id}."]


def test_a_tail_cut_off_together_with_its_seals_shows_by_an_anchor_or_an_earlier_export() -> None:
    """What is left is whole by itself: only a seal from elsewhere can tell."""
    short = export(RECORDS - EACH, EACH)
    assert checked(short).is_whole
    newest = last_seal(json.dumps(each) for each in WHOLE)
    assert newest is not None
    assert newest.last == RECORDS
    assert "is known from elsewhere" in checked(short, known=[newest]).findings[0]
    anchor: Line = {**WHOLE[places(WHOLE, "seal")[-1]], "kind": "anchor"}
    anchored = [*short[:-1], anchor, short[-1]]
    assert "its end was cut off" in checked(anchored).findings[0]
    assert checked([*WHOLE[:-1], anchor, WHOLE[-1]]).is_whole


def test_a_later_export_has_the_seals_of_an_earlier_one() -> None:
    earlier = last_seal(json.dumps(each) for each in export(RECORDS - EACH, EACH))
    assert earlier is not None
    assert checked(WHOLE, known=[earlier]).is_whole


@pytest.mark.parametrize(
    "line",
    ["", "not json", "[]", "7", "{}", '{"kind": "record"}', '{"kind": "seal", "number": 1}', '{"kind": "other"}'],
)
def test_lines_that_are_none_are_told_and_nothing_breaks(line: str) -> None:
    lines = [json.dumps(each) for each in WHOLE]
    report = check_export([*lines[:5], line, *lines[5:]])
    assert report.is_whole is (line == "")


def test_something_of_another_tenant_shows() -> None:
    lines = copy.deepcopy(WHOLE)
    lines[-1] = {**end(RECORDS + 7, 15), "tenant": "other"}
    assert not checked(lines).is_whole


# ------------------------------------------------------------------------------------------------ the parts


@pytest.mark.parametrize("many", [0, 1, 2, 3, 4, 5, 7, 8, 9, 100])
def test_the_tree_is_that_of_rfc_6962(many: int) -> None:
    leaves = [hashlib.sha256(bytes([each])).digest() for each in range(many)]

    def by_the_book(d: list[bytes]) -> bytes:
        if len(d) <= 1:
            return d[0] if d else hashlib.sha256(b"").digest()
        k = 1
        while k * 2 < len(d):
            k *= 2
        return hashlib.sha256(b"\x01" + by_the_book(d[:k]) + by_the_book(d[k:])).digest()

    assert root_of(leaves) == by_the_book(leaves)


def test_a_key_reads_back_and_nothing_else_is_one() -> None:
    assert public_key(KEY.public.text).id == KEY.public.id
    for text in ("", "AAAA", "*", KEY.public.text[:-4]):
        with pytest.raises(ValueError):  # noqa: PT011 - which one does not matter
            public_key(text)
    assert not KEY.public.has_signed(b"x", bytes(64))
    assert not KEY.public.has_signed(b"x", b"")


def test_equal_events_make_equal_records_to_the_byte() -> None:
    assert export(3, 2) == export(3, 2)
    assert event(1) == event(1)


def test_a_record_names_things_by_the_ids_that_callers_know() -> None:
    one = event(4)
    assert one.agent_id is not None
    assert one.execution_id is not None
    record = record_of(TENANT, one)
    assert (record["id"], record["agent"], record["execution"]) == (
        public_id(Kind.EVENT, one.id),
        public_id(Kind.AGENT, one.agent_id),
        public_id(Kind.EXECUTION, one.execution_id),
    )
    assert "connection" not in record
