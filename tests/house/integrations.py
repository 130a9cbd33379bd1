"""`docs/integrations.md`, made from the catalogue. `python -m tests.house.integrations` renews it."""

from collections.abc import Iterator

from adapters._kit.catalogue import manifest_of
from domain.catalogue import Action, AuthScheme, Effect, Integration
from tests.house.tiers import catalogue, evidence
from tests.house.tree import ROOT

PAGE = ROOT / "docs" / "integrations.md"

_BEGINNING = """# Integrations

Every service in the catalogue and everything an agent can do there. This page is made from the catalogue; a test keeps
it current. `searchActions` finds an action by what you want to do, `recommendIntegrations` the services that a business
needs.

**Tiers** are worked out by a program (`tests/house/tiers.py`), not claimed. *Bronze*: described, and every action
tested. *Silver*: the service's refusals are translated, lists are walked to their end, every permission is explained,
and every change says how to find out whether it happened. *Gold*: a simulated service comes along; every action runs
against it in tests while both sides are held against the service's own description, and some or all of them against
software that we did not write.

**Effects**: a read changes nothing; a write adds or changes; what is marked *destructive* takes away, costs money or
cannot be taken back, and needs a grant that says `FULL`.

"""


def page() -> str:
    """The page as it should be."""
    parts = [_BEGINNING, *_overview()]
    for integration in catalogue().values():
        parts += _section(integration)
    return "".join(parts).rstrip() + "\n"


def _overview() -> Iterator[str]:
    yield "| service | actions | of these run against foreign software | tier | connected by |\n"
    yield "| --- | --- | --- | --- | --- |\n"
    for slug, integration in catalogue().items():
        found = evidence(slug)
        ways = " or ".join("OAuth" if way is AuthScheme.OAUTH2 else "key" for way in integration.auth_schemes)
        tier = integration.tier.value.lower()
        yield f"| [{integration.name}](#{slug}) | {found.built} | {len(found.foreign)} | {tier} | {ways} |\n"
    yield "\n"


def _section(integration: Integration) -> Iterator[str]:
    yield f'<a id="{integration.slug}"></a>\n\n## {integration.name}\n\n{integration.description}'
    yield f" [Its own documentation]({integration.documentation_url}).\n\n"
    yield "| action | what it does | effect | permissions |\n| --- | --- | --- | --- |\n"
    for action in integration.actions.values():
        yield _row(action)
    scopes = manifest_of(integration.slug).scopes
    if scopes:
        yield "\nPermissions, as people read them before they consent:\n\n"
        for scope, found in scopes.items():
            yield f"- `{scope}`: {found.explanation}\n"
    yield "\n"


def _row(action: Action) -> str:
    effect = {Effect.READ: "read", Effect.WRITE: "write", Effect.DESTRUCTIVE: "**destructive**"}[action.effect]
    scopes = ", ".join(f"`{_short(scope)}`" for scope in action.required_scopes) or "—"
    return f"| `{action.slug}` | {action.title.replace('|', chr(92) + '|')} | {effect} | {scopes} |\n"


def _short(scope: str) -> str:
    """Google's scopes are addresses; their last part tells them apart."""
    return scope.rstrip("/").rpartition("/")[2] if scope.startswith("https://") else scope


if __name__ == "__main__":
    PAGE.write_text(page())
