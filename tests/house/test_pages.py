"""Pages that would quietly go out of date are held against what they describe."""

import re
import tomllib

import gateway.app  # noqa: F401 - with it, every room is imported, and so every error is known
from domain.errors import documented_codes
from gateway.settings import VARIABLES, ConfigFile, Settings
from tests.house import configuration
from tests.house.tree import ROOT, files, modules

ERRORS = (ROOT / "docs" / "errors.md").read_text()
CONFIGURATION = configuration.PAGE.read_text()
_LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


def _codes_said_in_place() -> set[str]:
    """Codes that belong to no class of error: those the doors, the schema and executions write themselves."""
    text = "\n".join(module.text for module in modules("gateway", "schema", "resolvers", "execution", "domain"))
    words = (
        r'problem\(\d+, "([A-Z_]+)"',
        r'"code": "([A-Z_]+)"',
        r'ExecutionError\(\s*"([A-Z_]+)"',
        r'Malformed\("[^"]+", "([A-Z_]+)"\)',
    )
    return {code for word in words for code in re.findall(word, text)}


def test_every_setting_stands_in_the_page() -> None:
    renew = "Renew it with `.venv/bin/python -m tests.house.configuration`."
    assert configuration.renewed(CONFIGURATION) == CONFIGURATION, renew


def test_every_setting_of_the_environment_has_a_variable() -> None:
    # `file` is what the file says that MANDATE_CONFIG names.
    assert set(VARIABLES) == set(Settings.model_fields) - {"file"}


def test_the_examples_of_the_page_are_accepted() -> None:
    environment = dict(line.split("=", 1) for line in _example("sh").splitlines())
    assert set(environment) <= set(VARIABLES.values())
    del environment["MANDATE_CONFIG"]  # a file that is not there
    assert Settings.read(environment).public_url == environment["MANDATE_PUBLIC_URL"]
    file = ConfigFile.model_validate(tomllib.loads(_example("toml")))
    assert file.integrations.keys() <= {path.parent.name for path in (ROOT / "adapters").glob("*/manifest.toml")}


def _example(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", CONFIGURATION, re.DOTALL)
    assert found is not None
    return found[1]


def test_every_code_has_a_cause_and_a_remedy() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+?) \| (.+?) \|$", ERRORS, re.MULTILINE)
    assert sorted(code for code, _, _ in rows) == sorted({*documented_codes(), *_codes_said_in_place()})
    assert [code for code, cause, remedy in rows if not (cause.endswith(".") and remedy.endswith("."))] == []


def test_every_link_between_pages_leads_somewhere() -> None:
    pages = [path for path in files() if path.suffix == ".md"]
    broken = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in pages
        for link in _LINK.findall(page.read_text())
        if not (page.parent / link).exists()
    ]
    assert broken == []
