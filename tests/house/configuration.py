"""The tables of `docs/configuration.md`, made from the settings. `python -m tests.house.configuration` renews them."""

from collections.abc import Mapping

from pydantic import BaseModel

from gateway.settings import (
    VARIABLES,
    EgressSettings,
    GraphQLSettings,
    IntegrationSettings,
    LimitsSettings,
    Settings,
)
from tests.house.tree import ROOT

PAGE = ROOT / "docs" / "configuration.md"


def tables() -> dict[str, str]:
    """Each table by the name that its place in the page has."""
    return {
        "environment": _table("variable", VARIABLES, Settings),
        "integrations": _table("key", {name: name for name in IntegrationSettings.model_fields}, IntegrationSettings),
        "graphql": _table("key", {name: name for name in GraphQLSettings.model_fields}, GraphQLSettings),
        "limits": _table("key", {name: name for name in LimitsSettings.model_fields}, LimitsSettings),
        "egress": _table("key", {name: name for name in EgressSettings.model_fields}, EgressSettings),
    }


def renewed(page: str) -> str:
    """The page with its tables as they should be. Raises ValueError when a table has no place in it."""
    for name, table in tables().items():
        before, place, rest = page.partition(f"<!-- {name}: made by tests/house -->\n")
        _, end, after = rest.partition("<!-- end -->")
        if not place or not end:
            raise ValueError(f"{PAGE.name} has no place for the table {name!r}.")
        page = before + place + table + end + after
    return page


def _table(what: str, names: Mapping[str, str], model: type[BaseModel]) -> str:
    lines = [f"| {what} | meaning | default |", "| --- | --- | --- |"]
    for field, name in names.items():
        about = model.model_fields[field]
        assert about.description, f"{name} has no description"
        default = (
            f"`{about.default}`"
            if isinstance(about.default, str | float | int) and not isinstance(about.default, bool)
            else "—"
        )
        lines.append(f"| `{name}` | {about.description} | {default} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text()))
