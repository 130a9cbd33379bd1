"""Seals kept outside the database."""

from pathlib import Path

from tests.vault.sealed import KEY, TENANT, sealed
from vault.anchors import Anchors


def test_the_newest_seal_is_found_again_by_another_process(tmp_path: Path) -> None:
    one, other = Anchors(tmp_path, KEY.public.id), Anchors(tmp_path, KEY.public.id)
    assert one.newest(TENANT) is None
    first = sealed(1, 1, 4, None)
    second = sealed(2, 5, 9, first)
    one.keep(first)
    one.keep(second)
    assert other.newest(TENANT) == second
    assert other.newest("somebody else") is None
    assert other.all_of(TENANT) == [second]


def test_a_seal_that_the_history_lost_is_kept_as_evidence(tmp_path: Path) -> None:
    anchors = Anchors(tmp_path, KEY.public.id)
    lost = sealed(2, 5, 9, sealed(1, 1, 4, None))
    anchors.keep(lost)
    anchors.set_aside(lost)
    assert anchors.newest(TENANT) is None
    anchors.keep(fresh := sealed(1, 1, 2, None))
    assert {each.number for each in anchors.all_of(TENANT)} == {1, 2}
    assert anchors.newest(TENANT) == fresh


def test_a_file_that_cannot_be_read_is_as_good_as_none(tmp_path: Path) -> None:
    anchors = Anchors(tmp_path, KEY.public.id)
    anchors.keep(sealed(1, 1, 2, None))
    [file] = (tmp_path / KEY.public.id).iterdir()
    file.write_text("{")
    assert Anchors(tmp_path, KEY.public.id).newest(TENANT) is None


def test_seals_of_another_key_lie_apart(tmp_path: Path) -> None:
    Anchors(tmp_path, "one").keep(sealed(1, 1, 2, None))
    assert Anchors(tmp_path, "other").newest(TENANT) is None
