"""Every integration of the catalogue, by the rules of its tier that need no service to be asked."""

from collections.abc import Iterator, Mapping, Sequence

import pytest

from adapters._kit.catalogue import load, manifest_of, slugs
from adapters._kit.http import CannedTransport, NotSent
from domain.catalogue import Action, Effect, Integration
from domain.json import Json, JsonObject
from tests.house.tree import ROOT

CATALOGUE = load(CannedTransport(lambda _: NotSent("connect_failed")), {}, {})
ACTIONS = [each for integration in CATALOGUE.integrations.values() for each in integration.actions.values()]
SIMPLE = {"string", "integer", "number", "boolean", "null"}

an_integration = pytest.mark.parametrize("integration", CATALOGUE.integrations.values(), ids=lambda each: each.slug)
an_action = pytest.mark.parametrize("action", ACTIONS, ids=lambda each: each.slug)


def test_every_folder_beside_the_kit_is_an_integration() -> None:
    folders = {path.name for path in (ROOT / "adapters").iterdir() if path.is_dir() and path.name[0] not in "_."}
    assert folders == set(slugs()) == set(CATALOGUE.integrations)


@an_integration
def test_an_integration_says_what_it_is(integration: Integration) -> None:
    assert integration.name
    assert integration.description.endswith(".")
    assert (integration.documentation_url or "").startswith("https://")
    assert integration.auth_schemes
    assert integration.actions


@an_integration
def test_every_scope_is_explained_in_plain_words(integration: Integration) -> None:
    known = manifest_of(integration.slug).scopes
    assert {scope for scope, found in known.items() if len(found.explanation.split()) < 2} == set()
    needed = {scope for action in integration.actions.values() for scope in action.required_scopes}
    narrower = {scope for found in known.values() for scope in found.includes}
    assert needed | narrower <= set(known)


@an_integration
def test_addresses_of_a_service_are_https(integration: Integration) -> None:
    manifest = manifest_of(integration.slug)
    addresses = [manifest.http.base_url]
    if manifest.oauth2 is not None:
        addresses += [manifest.oauth2.authorize_url, manifest.oauth2.token_url]
    assert [each for each in addresses if not each.startswith("https://")] == []


@an_integration
def test_what_a_person_pastes_has_a_closed_schema(integration: Integration) -> None:
    if integration.credential_schema is not None:
        assert list(_mistakes(integration.credential_schema, "")) == []


@an_action
def test_an_action_is_explained(action: Action) -> None:
    assert action.slug == f"{action.integration}.{action.slug.partition('.')[2]}"
    assert 0 < len(action.title) <= 80
    assert len(action.description) >= len(action.title)
    assert action.effect is Effect.READ or len(action.what_to_check.split()) > 4


@an_action
def test_an_action_has_a_test(action: Action) -> None:
    folder = ROOT / "tests" / "adapters" / action.integration
    name = action.slug.partition(".")[2]
    assert any(name in path.read_text() for path in folder.glob("test_*.py")), f"no test in {folder} names {name}"


@an_action
def test_every_parameter_is_described_and_nothing_else_is_taken(action: Action) -> None:
    assert list(_mistakes(action.parameters_schema, "")) == []


@an_action
def test_a_result_has_a_schema_that_refers_only_to_itself(action: Action) -> None:
    schema = action.result_schema
    if schema is not None:
        assert [each for each in _references(schema) if _found(schema, each) is None] == []


def _mistakes(schema: JsonObject, place: str, root: JsonObject | None = None) -> Iterator[str]:
    """What keeps a schema (JSON Schema 2020-12) from being closed and explained. Follows what it is made of."""
    root = schema if root is None else root
    if isinstance(reference := schema.get("$ref"), str):
        target = _found(root, reference)
        yield from [f"{place}: {reference} leads nowhere"] if target is None else _mistakes(target, place, root)
        return
    for key in ("anyOf", "oneOf", "allOf"):
        for choice in _objects(schema.get(key, [])):
            yield from _mistakes(choice, place, root)
    if schema.get("type") == "array":
        items = schema.get("items")
        yield from (
            _mistakes(items, f"{place}/0", root) if isinstance(items, Mapping) else [f"{place}: items of any kind"]
        )
    elif schema.get("type") == "object":
        yield from _of_object(schema, place, root)
    elif schema.get("type") not in SIMPLE and not schema.keys() & {"anyOf", "oneOf", "allOf", "enum", "const"}:
        yield f"{place}: of no type"


def _of_object(schema: JsonObject, place: str, root: JsonObject) -> Iterator[str]:
    if schema.get("additionalProperties") is not False:
        yield f"{place}: takes what it does not name"
    properties = schema.get("properties", {})
    assert isinstance(properties, Mapping)
    for name, each in properties.items():
        assert isinstance(each, Mapping)
        if not each.get("description"):
            yield f"{place}/{name}: no description"
        yield from _mistakes(each, f"{place}/{name}", root)


def _objects(value: Json) -> list[JsonObject]:
    assert isinstance(value, Sequence)
    return [each for each in value if isinstance(each, Mapping)]


def _references(value: Json) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            if key == "$ref" and isinstance(each, str):
                yield each
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


def _found(root: JsonObject, reference: str) -> JsonObject | None:
    """A `$ref` into the same schema."""
    found: Json = root
    for step in reference.removeprefix("#/").split("/"):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) and reference.startswith("#/") else None


def test_the_rules_see_what_they_should() -> None:
    open_one: JsonObject = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"description": "B."}}}
    assert list(_mistakes(open_one, "")) == [": takes what it does not name", "/a: no description", "/b: of no type"]
    lost: JsonObject = {"type": "array", "items": {"$ref": "#/$defs/Gone"}}
    assert list(_mistakes(lost, "")) == ["/0: #/$defs/Gone leads nowhere"]
