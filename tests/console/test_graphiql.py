"""The built GraphiQL page is whole, loads nothing from elsewhere, and is what its sources say."""

import json
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

import console
from tests.support.node import NODE, CannotInstall, install_locked

SOURCES = Path(console.__file__).parent / "graphiql"
BUILT = console.static_dir() / "graphiql"
FILES = ["LICENSES.txt", "graphiql.css", "graphiql.js", "index.html"]


def built(name: str) -> str:
    return (BUILT / name).read_text(encoding="utf-8")


class Page(HTMLParser):
    """What a page loads, and what it would run without loading it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.inline: list[str] = []
        self._in_script = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]
        self.inline += [name for name, _ in attrs if name.startswith("on") or name == "style"]
        self._in_script = tag == "script"

    def handle_data(self, data: str) -> None:
        if self._in_script and data.strip():
            self.inline.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False


def test_the_bundle_is_one_page_one_script_one_style_sheet_and_the_licences() -> None:
    assert sorted(path.name for path in BUILT.iterdir()) == FILES
    assert all(built(name).strip() for name in FILES)


@pytest.mark.parametrize("name", ["index.html", "graphiql.css"])
def test_it_names_no_outside_address(name: str) -> None:
    without_data = re.sub(r"data:[\w/+;=]*,[A-Za-z0-9+/=]*", "", built(name))
    assert not re.search(r"https?:|//", re.sub(r"/\*.*?\*/", "", without_data, flags=re.DOTALL))


def test_the_style_sheet_carries_no_fonts_and_imports_nothing() -> None:
    assert "@font-face" not in built("graphiql.css")
    assert "@import" not in built("graphiql.css")


def test_the_page_loads_its_own_two_files_and_has_no_inline_script() -> None:
    page = Page(built("index.html"))
    assert set(page.loads) == {"data:,", "graphiql/graphiql.css", "graphiql/graphiql.js"}
    assert page.inline == []


def test_the_script_makes_no_code_from_text() -> None:
    assert not re.search(r"\beval\(|\bnew Function\b|\bFunction\(\"", built("graphiql.js"))


def test_the_licences_name_the_locked_versions() -> None:
    locked = json.loads((SOURCES / "package-lock.json").read_text())["packages"]
    for name in ("react", "react-dom", "graphiql", "graphql", "graphql-ws", "codemirror"):
        assert f"\n{name} {locked[f'node_modules/{name}']['version']} (MIT)\n" in built("LICENSES.txt")


def test_the_lock_names_no_address() -> None:
    assert "://" not in (SOURCES / "package-lock.json").read_text()


def test_building_again_gives_the_same_bytes(tmp_path: Path) -> None:
    try:
        install_locked(SOURCES)
    except CannotInstall as problem:
        pytest.fail(str(problem), pytrace=False)

    subprocess.run([NODE, SOURCES / "build.mjs", tmp_path / "again"], check=True)

    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (BUILT / name).read_bytes(), name
