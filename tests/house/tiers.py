"""What tier an integration has earned, worked out from its manifest, its actions, its sandbox and its tests.

- BRONZE: it says what it is and what each action does (`test_integrations.py` holds every integration to that), and a
  test names each action.
- SILVER: it translates the service's refusals, walks pages where it takes a limit, says of every scope what it is for,
  and of every change what to look for when the answer was lost.
- GOLD: it ships a simulated service, which tests run every action against, while requests and answers are held against
  the service's description, whose source and date are stated; some of it runs against software that we did not write;
  and an operator can try it without an account.

`python -m tests.house.tiers` prints what was found.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from adapters._kit.catalogue import load, manifest_of
from adapters._kit.http import CannedTransport, NotSent
from adapters._kit.manifest import Manifest
from domain.catalogue import Effect, Integration, Tier
from tests.house.tree import ROOT, Module

_ADAPTERS, _TESTS, _FOREIGN = ROOT / "adapters", ROOT / "tests" / "adapters", ROOT / "tests" / "foreign"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found: names of actions by what is shown of them, and why the next tier is not earned."""

    built: int
    tested: frozenset[str]
    held: frozenset[str]
    foreign: frozenset[str]
    tier: Tier
    lacking: tuple[str, ...]


@cache
def catalogue() -> dict[str, Integration]:
    """Every integration, with no way out."""
    return dict(load(CannedTransport(lambda _: NotSent("connect_failed")), {}, {}).integrations)


@cache
def evidence(slug: str) -> Evidence:
    """Everything about one integration."""
    integration, manifest = catalogue()[slug], manifest_of(slug)
    names = frozenset(action.slug.partition(".")[2] for action in integration.actions.values())
    own = _modules(_TESTS / slug)
    tested = _named(own, slug, names)
    held = tested if _holds_against_description(own) else frozenset[str]()
    foreign = _named([each for each in _modules(_FOREIGN) if _speaks_of(each, slug)], slug, names)
    steps = (
        (Tier.BRONZE, list(_bronze(names, tested))),
        (Tier.SILVER, list(_silver(integration, manifest))),
        (Tier.GOLD, list(_gold(slug, manifest, names, held, foreign))),
    )
    earned, lacking = Tier.BRONZE, tuple[str, ...]()
    for tier, missing in steps:
        if missing:
            lacking = tuple(f"{tier.value.lower()}: {each}" for each in missing)
            break
        earned = tier
    return Evidence(len(names), tested, held, foreign, earned, lacking)


def _bronze(names: frozenset[str], tested: frozenset[str]) -> Iterator[str]:
    if names - tested:
        yield f"no test runs {sorted(names - tested)}"


def _silver(integration: Integration, manifest: Manifest) -> Iterator[str]:
    answers = manifest.answers
    if not (answers.errors or answers.statuses):
        yield "no refusal of the service is translated"
    takes_limit = [each.slug for each in integration.actions.values() if "limit" in each.parameter_names]
    if takes_limit and manifest.http.pages is None:
        yield f"{takes_limit[0]} takes a limit, and the manifest does not say how lists go on"
    if manifest.oauth2 is not None and not manifest.scopes:
        yield "no scope is explained"
    vague = [
        each.slug
        for each in integration.actions.values()
        if each.effect is not Effect.READ and len(each.what_to_check.split()) < 6
    ]
    if vague:
        yield f"{vague} do not say what to look for when the answer was lost"


def _gold(
    slug: str, manifest: Manifest, names: frozenset[str], held: frozenset[str], foreign: frozenset[str]
) -> Iterator[str]:
    if manifest.sandbox is None or not (_ADAPTERS / slug / "sandbox.py").exists():
        yield "no simulated service"
    elif manifest.api_key is not None and manifest.oauth2 is None and not manifest.sandbox.try_fields:
        yield "no key to try the simulated service with"
    if names - held:
        yield f"not run against the sandbox while held against the description: {sorted(names - held)}"
    about = _TESTS / slug / "description.md"
    text = about.read_text() if about.exists() else ""
    if not ("icen" in text and "20" in text):
        yield "description.md does not state source, licence and date"
    if not foreign:
        yield "nothing runs against software that we did not write"


def _modules(folder: Path) -> list[Module]:
    return [Module(path) for path in sorted(folder.glob("*.py"))]


def _named(modules: list[Module], slug: str, names: frozenset[str]) -> frozenset[str]:
    """The actions that a test names as a value, not in passing: `"create_issue"` or `"github.create_issue"`."""
    said = {text.removeprefix(f"{slug}.") for each in modules for text in _texts(each)}
    return names & said


def _speaks_of(module: Module, slug: str) -> bool:
    return any(text == slug or text.startswith(f"{slug}.") for text in _texts(module))


def _texts(module: Module) -> Iterator[str]:
    """Every short literal text, but for what is only looked at for mistakes before anything is run."""
    waiting: list[ast.AST] = [module.tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "mistakes":
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 80:
            yield node.value
        waiting.extend(ast.iter_child_nodes(node))


def _holds_against_description(modules: list[Module]) -> bool:
    """Whether what the folder's tests run goes to the sandbox, with both sides held against the description."""
    text = "\n".join(each.text for each in modules)
    is_rest = "description.json" in text and "TwoSided" in text
    is_graphql = "validate(schema()" in text
    return "sandbox(" in text and (is_rest or is_graphql)


def table() -> str:
    """What is shown of each integration, as Markdown."""
    lines = [
        "| integration | actions | in tests | with description and sandbox | against foreign software | tier |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for slug in catalogue():
        found = evidence(slug)
        counts = (found.built, len(found.tested), len(found.held), len(found.foreign))
        lines.append(f"| {slug} | {' | '.join(map(str, counts))} | {found.tier.value.lower()} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    reasons = [f"{name}: {reason}" for name in catalogue() for reason in evidence(name).lacking]
    sys.stdout.write("\n".join([table(), *reasons, ""]))
