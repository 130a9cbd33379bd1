"""What must stand in no file of ours."""

import re

from tests.house.tree import ROOT, files

#: A folder of somebody's machine. Put together, so that this file does not find itself.
_MACHINE = re.compile(rb"(?<![\w.\-*}>])/(?:" + b"|".join([b"home", b"Users", b"root", b"work"]) + rb")/[\w.]")
_ADDRESS = re.compile(rb"\b(?:https?|file|ssh|git)://|\bindex-url\b|\bfind-links\b", re.IGNORECASE)


def _holding(pattern: re.Pattern[bytes], *, only: str = "") -> list[str]:
    found = []
    for path in files():
        name = path.relative_to(ROOT).as_posix()
        if only not in path.name:
            continue
        match = pattern.search(path.read_bytes())
        if match is not None:
            found.append(f"{name}: {match[0].decode(errors='replace')}")
    return found


def test_no_file_names_a_folder_of_a_machine() -> None:
    assert _holding(_MACHINE) == []


def test_locks_hold_names_and_hashes_but_no_address() -> None:
    locks = {path.name for path in files() if "lock" in path.name}
    assert {"requirements.lock", "requirements-dev.lock", "package-lock.json"} <= locks
    assert _holding(_ADDRESS, only=".lock") + _holding(_ADDRESS, only="package-lock.json") == []


def test_every_requirement_is_held_by_hashes() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        lines = (ROOT / name).read_text().splitlines()
        named = [number for number, line in enumerate(lines) if re.match(r"^[a-z0-9]", line)]
        assert named
        assert [lines[each] for each in named if "--hash=sha256:" not in lines[each + 1]] == []


def test_the_patterns_find_what_they_should() -> None:
    assert _MACHINE.search(b"see /" + b"home/lin/notes")
    assert not _MACHINE.search(b"GET /users/lin, .github/workflows/ci.yml")
    assert _ADDRESS.search(b"registry=https://example.com")
