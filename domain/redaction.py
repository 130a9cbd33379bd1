"""Secrets where they do not belong: among an action's parameters, and in what a service answers.

What a parameter's schema marks `writeOnly` is used once and never kept or shown (JSON Schema 2020-12, validation,
section 9.4). What a service was shown of a credential is never passed on, should it repeat it.
"""

import base64
from collections.abc import Iterable, Mapping

from domain.catalogue import AuthScheme, Credential
from domain.json import Json, JsonObject
from domain.secrets import Secret

HIDDEN = "•••"
#: Less than this is no secret, and stands in many an innocent text.
_SHORTEST = 8


def holds_secrets(schema: Json) -> bool:
    """Whether anything in this schema is write-only."""
    if isinstance(schema, Mapping):
        return schema.get("writeOnly") is True or any(map(holds_secrets, schema.values()))
    return isinstance(schema, list) and any(map(holds_secrets, schema))


def redacted(value: Json, schema: JsonObject) -> Json:
    """The value with every secret hidden."""
    return _redacted(value, schema, schema)


def _redacted(value: Json, schema: Json, root: JsonObject) -> Json:
    if value is None or not isinstance(schema, Mapping):
        return value
    if schema.get("writeOnly") is True:
        return HIDDEN
    for part in _parts(schema, root):
        value = _redacted(value, part, root)
    if isinstance(value, dict):
        properties, others = schema.get("properties"), schema.get("additionalProperties")
        known = properties if isinstance(properties, Mapping) else {}
        return {name: _redacted(each, known.get(name, others), root) for name, each in value.items()}
    if isinstance(value, list):
        return [_redacted(each, schema.get("items"), root) for each in value]
    return value


def _parts(schema: Mapping[str, Json], root: JsonObject) -> list[Json]:
    """What else applies to the same value: a definition it refers to, and each of its alternatives."""
    found: list[Json] = []
    reference, definitions = schema.get("$ref"), root.get("$defs")
    if isinstance(reference, str) and isinstance(definitions, Mapping):
        found.append(definitions.get(reference.rpartition("/")[2]))
    for word in ("anyOf", "oneOf", "allOf"):
        alternatives = schema.get(word)
        found += alternatives if isinstance(alternatives, list) else []
    return found


def secrets_of(credential: Credential, form: JsonObject | None) -> list[Secret]:
    """What of a credential is secret. `form` is its integration's: fields that it shows, as a user's name, are not."""
    shapes = form.get("properties") if form is not None and credential.scheme is AuthScheme.API_KEY else None
    shown = {
        name
        for name, shape in (shapes.items() if isinstance(shapes, Mapping) else ())
        if isinstance(shape, Mapping) and shape.get("writeOnly") is not True
    }
    return [secret for name, secret in credential.secrets.items() if name not in shown]


def without(value: Json, secrets: Iterable[Secret]) -> Json:
    """The value with these secrets hidden wherever they stand in a text or a name, also as HTTP Basic sends them."""
    plain = [text for secret in secrets if len(text := secret.reveal()) >= _SHORTEST]
    spellings = [*plain, *(base64.b64encode(f"{text}:".encode()).decode() for text in plain)]
    return _without(value, spellings) if spellings else value


def _without(value: Json, spellings: list[str]) -> Json:
    if isinstance(value, str):
        for each in spellings:
            if each in value:
                value = value.replace(each, HIDDEN)
        return value
    if isinstance(value, dict):
        return {str(_without(name, spellings)): _without(each, spellings) for name, each in value.items()}
    return [_without(each, spellings) for each in value] if isinstance(value, list) else value
