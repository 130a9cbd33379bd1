"""`mandate new-integration`: what it writes is whole from the first moment, by the rules of the house."""

import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import adapters
from adapters._kit.catalogue import load_one, manifest_of, slugs
from adapters._kit.http import CannedTransport, NotSent
from adapters._kit.integration import FolderIntegration, Override
from adapters._kit.scaffold import scaffold
from domain.catalogue import Tier
from domain.errors import Misconfigured
from gateway import cli
from tests.house import test_integrations as rules

SLUG = "sample_of_a_scaffold"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A checkout of its own, whose adapters are found like ours."""
    (tmp_path / "tests" / "adapters").mkdir(parents=True)
    scaffold(SLUG, tmp_path)
    monkeypatch.setattr(adapters, "__path__", [*adapters.__path__, str(tmp_path / "adapters")])
    importlib.invalidate_caches()
    yield tmp_path
    for name in [each for each in sys.modules if each.startswith(f"adapters.{SLUG}")]:
        del sys.modules[name]


@pytest.fixture
def integration(root: Path) -> FolderIntegration:
    return load_one(SLUG, CannedTransport(lambda _: NotSent("connect_failed")), Override(), None, root / "adapters")


def its_tests(root: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tests it came with, which look for the manifest where it was written."""
    path = root / "tests" / "adapters" / SLUG / f"test_{SLUG}.py"
    module = ModuleType("scaffolded")
    exec(compile(path.read_text(), str(path), "exec"), vars(module))  # noqa: S102  # what we wrote a moment ago
    found = module.load_one
    monkeypatch.setattr(module, "load_one", lambda *given: found(*given, root / "adapters"))
    return module


def test_it_keeps_the_rules_of_every_integration(root: Path, integration: FolderIntegration) -> None:
    assert slugs(root / "adapters") == [SLUG]
    assert manifest_of(SLUG, root / "adapters").tier is Tier.BRONZE
    rules.test_an_integration_says_what_it_is(integration)
    rules.test_what_a_person_pastes_has_a_closed_schema(integration)
    for action in integration.actions.values():
        rules.test_an_action_is_explained(action)
        rules.test_every_parameter_is_described_and_nothing_else_is_taken(action)
        rules.test_a_result_has_a_schema_that_refers_only_to_itself(action)


async def test_its_own_tests_pass_and_run_every_action(
    root: Path, integration: FolderIntegration, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = its_tests(root, monkeypatch)
    text = inspect.getsource(scaffold) and (root / "tests" / "adapters" / SLUG / f"test_{SLUG}.py").read_text()
    assert [slug for slug in integration.actions if f'"{slug.partition(".")[2]}"' not in text] == []
    await module.test_a_list_is_walked_to_its_end()
    await module.test_a_note_is_written()
    await module.test_the_connection_test_names_the_account()
    for mark in module.test_refusals_are_understood.pytestmark:
        for case in mark.args[1]:
            await module.test_refusals_are_understood(*case)
    for mark in module.test_what_cannot_be_a_title_is_found_before_anything_is_sent.pytestmark:
        for case in mark.args[1]:
            module.test_what_cannot_be_a_title_is_found_before_anything_is_sent(case)


@pytest.mark.parametrize("slug", ["", "a", "Acme", "acme-inc", "../acme", "_kit", "9to5", "a" * 41, "acme\n"])
def test_a_name_that_cannot_be_is_refused(tmp_path: Path, slug: str) -> None:
    (tmp_path / "tests" / "adapters").mkdir(parents=True)
    with pytest.raises(Misconfigured, match="is no name"):
        scaffold(slug, tmp_path)
    assert not (tmp_path / "adapters").exists()


def test_nothing_that_is_there_is_overwritten(root: Path) -> None:
    with pytest.raises(Misconfigured, match="is there already"):
        scaffold(SLUG, root)


def test_outside_a_checkout_it_says_where_to_run_it(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="checkout"):
        scaffold("acme", tmp_path)


def test_the_command_says_what_is_wrong_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["new-integration", "github"]) == 1
    assert "is there already" in capsys.readouterr().err
