"""Who may know whom. What import-linter can say stands in pyproject.toml; this is the rest."""

import ast
import importlib.util
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.house.tree import BESIDE, ROOMS, ROOT, Module, modules


def test_make_check_looks_at_imports() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\ncheck:")[2].partition("\n\n")[0]
    assert "lint-imports" in recipe


@pytest.mark.parametrize("name", [*ROOMS, "tests"])
def test_the_name_of_a_room_is_ours_alone(name: str) -> None:
    # Names like `schema` and `events` are there for every installed package to take.
    found = importlib.util.find_spec(name)
    assert found is not None
    assert found.origin == str(ROOT / name / "__init__.py")
    assert set(packages_distributions().get(name, ())) <= {"mandate"}


def _reads_environment(module: Module) -> bool:
    """`os.environ`, `os.getenv` or one of them imported by name."""
    names = ("environ", "environb", "getenv", "getenvb")
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr in names and ast.unparse(node.value) == "os":
            return True
        if isinstance(node, ast.ImportFrom) and node.module == "os" and any(each.name in names for each in node.names):
            return True
    return False


def test_only_starting_reads_the_environment() -> None:
    assert {module.name for module in modules() if _reads_environment(module)} <= {
        "gateway/settings.py",
        "gateway/starting.py",
        "gateway/bridging.py",  # a client, which has an address and a key of its own
    }


#: What one integration needs beside these, and why is said where it is imported.
OWN_LIBRARIES = {"github": "nacl"}


def _may_be_imported_by(integration: str, name: str) -> bool:
    first = name.partition(".")[0]
    is_ours = first == "domain" or name.startswith(("adapters._kit", f"adapters.{integration}"))
    return is_ours or first in sys.stdlib_module_names or first == OWN_LIBRARIES.get(integration)


def test_an_integration_needs_only_the_kit_the_domain_and_python() -> None:
    # The simulated service beside it is a small web service of its own and may use what those use.
    wrong = [
        f"{module.name} imports {name}"
        for module in modules("adapters")
        if module.path.parent.name not in ("adapters", "_kit") and not module.path.stem.startswith("sandbox")
        for name in sorted(module.imports)
        if not _may_be_imported_by(module.path.parent.name, name)
    ]
    assert not wrong


def test_the_old_http_library_is_imported_nowhere() -> None:
    # httpx2 continues it, and `httpx.HTTPError` does not catch what httpx2 raises.
    old = [module.name for module in modules(*ROOMS, *BESIDE) for name in module.imports if _first(name) == "httpx"]
    assert not old


def _first(name: str) -> str:
    return name.partition(".")[0]


@pytest.mark.parametrize("word", ["utils", "util", "helpers", "helper", "common", "manager", "base", "misc"])
def test_no_module_has_a_name_that_says_nothing(word: str) -> None:
    def words(path: Path) -> set[str]:
        return {part for name in path.relative_to(ROOT).with_suffix("").parts for part in name.split("_")}

    assert [module.name for module in modules(*ROOMS, *BESIDE) if word in words(module.path)] == []
