"""There is no mode without a master key, and no message with one (promise S3)."""

import base64
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from domain.errors import CredentialUnreadable, Misconfigured
from domain.secrets import Secret
from vault.master_keys import KEY_BYTES, development_master_keys, read_master_keys, write_private


def encoded(byte: bytes, length: int = KEY_BYTES) -> str:
    return base64.b64encode(byte * length).decode()


GOOD = encoded(b"s")


async def test_the_first_key_wraps_and_all_unwrap() -> None:
    old = read_master_keys(Secret(f"k1:{GOOD}"))
    wrapped = await old.wrap(b"d" * KEY_BYTES, b"place")
    both = read_master_keys(Secret(f" k2:{encoded(b't')} , k1:{GOOD} "))
    assert both.current == "k2"
    assert await both.unwrap("k1", wrapped, b"place") == b"d" * KEY_BYTES


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "key 1 cannot be used: it is not written as id:base64"),
        (GOOD, "key 1 cannot be used: it is not written as id:base64"),
        (f":{GOOD}", "key 1 cannot be used: it is not written as id:base64"),
        (f"k 1:{GOOD}", "key 1 cannot be used: it is not written as id:base64"),
        (f"k1\n:{GOOD}", "key 1 cannot be used: it is not written as id:base64"),
        (f"{'k' * 65}:{GOOD}", "key 1 cannot be used: it is not written as id:base64"),
        (f"k1:{GOOD},", "key 2 cannot be used: it is not written as id:base64"),
        (f"k1:{GOOD},k1:{encoded(b't')}", "key 2 cannot be used: the id 'k1' stands there twice"),
        ("k1:not base64!", "key 1 cannot be used: what follows the id is not base64"),
        ("k1:schlüssel", "key 1 cannot be used: what follows the id is not base64"),
        (f"k1:{GOOD[:-1]}", "key 1 cannot be used: what follows the id is not base64"),
        ("k1:", "key 1 cannot be used: it has 0 bytes and must have 32"),
        (f"k1:{encoded(b's', 16)}", "key 1 cannot be used: it has 16 bytes and must have 32"),
        (f"k1:{GOOD},k2:{encoded(b't', 33)}", "key 2 cannot be used: it has 33 bytes and must have 32"),
    ],
)
def test_what_cannot_be_used_is_named_by_its_number_and_never_shown(text: str, reason: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        read_master_keys(Secret(text))
    told = refused.value.message
    assert told.startswith(f"MANDATE_MASTER_KEYS: {reason}. Make one with: ")
    parts = (part for key in text.split(",") for part in key.split(":")[1:])
    assert not any(len(part) > 3 and part in told for part in [*parts, GOOD])


def test_the_advice_makes_a_key_that_can_be_used() -> None:
    with pytest.raises(Misconfigured) as refused:
        read_master_keys(Secret(""))
    program = refused.value.message.split("python3 -c ", 1)[1].strip("'").replace("print(", "made.append(")
    made: list[str] = []
    exec(program, {"made": made})  # noqa: S102 - our own advice
    assert read_master_keys(Secret(made[0])).current == "k1"


@pytest.mark.parametrize("wrapped", [b"", b"short", b"n" * 12, b"n" * 27, b"n" * 60])
async def test_bytes_that_were_never_wrapped_are_unreadable(wrapped: bytes) -> None:
    keys = read_master_keys(Secret(f"k1:{GOOD}"))
    with pytest.raises(CredentialUnreadable):
        await keys.unwrap("k1", wrapped, b"place")


async def test_a_wrapped_key_opens_in_its_place_only() -> None:
    keys = read_master_keys(Secret(f"k1:{GOOD}"))
    wrapped = await keys.wrap(b"d" * KEY_BYTES, b"here")
    with pytest.raises(CredentialUnreadable):
        await keys.unwrap("k1", wrapped, b"there")


# ------------------------------------------------------------------------------------------- the development key


async def test_the_development_key_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "master.key"
    wrapped = await development_master_keys(path).wrap(b"d" * KEY_BYTES, b"place")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert await development_master_keys(path).unwrap("development", wrapped, b"place") == b"d" * KEY_BYTES
    assert [each.name for each in path.parent.iterdir()] == ["master.key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o601])
def test_a_development_key_that_others_can_reach_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "master.key"
    development_master_keys(path)
    path.chmod(mode)
    with pytest.raises(Misconfigured, match=r"others can read it\. Run: chmod 600 "):
        development_master_keys(path)


def test_a_strict_or_lax_umask_changes_nothing(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        development_master_keys(tmp_path / "master.key")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "master.key").stat().st_mode) == 0o600


def test_of_several_that_write_at_once_the_first_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: write_private(path, f"text {n}"), range(40)))
    assert path.read_text().startswith("text ")
    assert [each.name for each in tmp_path.iterdir()] == ["master.key"]


def test_an_emptied_key_file_is_told_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    write_private(path, "")
    with pytest.raises(Misconfigured):
        development_master_keys(path)
    assert path.read_text() == ""
