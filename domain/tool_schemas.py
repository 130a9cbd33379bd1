"""JSON Schemas rewritten into the subsets that vendors take, and values brought back from them.

What a subset cannot say is told in the description; whether a value is right is judged by the action, as always.

- `strict`: OpenAI's structured outputs, https://platform.openai.com/docs/guides/structured-outputs#supported-schemas:
  every property required, nothing additional, what is optional may be null; no lengths, defaults or siblings of `$ref`.
- `gemini`: the `Schema` of Gemini's function declarations, https://ai.google.dev/api/caching#Schema: a part of
  OpenAPI 3.0 without references, constants, exclusive bounds or objects of unknown properties, which go as JSON text.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from domain.json import Json, JsonObject

DEEPEST_STRICT: Final = 10
MOST_STRICT_PROPERTIES: Final = 5_000
MOST_STRICT_CHOICES: Final = 1_000

_STRICT_KEYS: Final = (
    *("type", "enum", "pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    *("multipleOf", "minItems", "maxItems"),
)
_STRICT_FORMATS: Final = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
)
_GEMINI_KEYS: Final = ("minItems", "maxItems", "minLength", "maxLength", "pattern", "minimum", "maximum")
_COMBINING: Final = frozenset({"allOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "patternProperties"})
_AS_TEXT: Final = "Given as JSON text."
_NULL: Final[JsonObject] = {"type": "null"}
_LOOKING_AROUND: Final = ("(?=", "(?!", "(?<")


class Inexpressible(Exception):
    """The subset has no words for this schema."""


# ------------------------------------------------------------------------------------------------------- OpenAI


def strict(schema: JsonObject) -> JsonObject:
    """The schema of an object in the strict subset. Raises Inexpressible."""
    made = _strict(schema, schema, DEEPEST_STRICT)
    properties, choices = _size(made)
    if made.get("type") != "object" or properties > MOST_STRICT_PROPERTIES or choices > MOST_STRICT_CHOICES:
        raise Inexpressible
    return made


def _strict(given: Json, root: JsonObject, levels: int) -> JsonObject:
    schema = _resolved(given, root)
    if not schema or levels == 0 or not _COMBINING.isdisjoint(schema):
        raise Inexpressible
    said = _described(schema, "minLength", "maxLength", "default")
    if "anyOf" in schema:
        return {**said, "anyOf": [_strict(each, root, levels) for each in _list(schema["anyOf"])]}
    kept: dict[str, Json] = {key: schema[key] for key in _STRICT_KEYS if key in schema}
    if "const" in schema:
        kept["enum"] = [schema["const"]]
    if kept.get("format") not in _STRICT_FORMATS:
        kept.pop("format", None)
    if any(each in str(kept.get("pattern", "")) for each in _LOOKING_AROUND):
        del kept["pattern"]
    if "items" in schema:
        kept["items"] = _strict(schema["items"], root, levels - 1)
    if schema.get("type") == "object":
        kept |= _strict_object(schema, root, levels)
    return {**said, **kept}


def _strict_object(schema: JsonObject, root: JsonObject, levels: int) -> JsonObject:
    if schema.get("additionalProperties") is not False:
        raise Inexpressible
    needed = _list(schema.get("required"))
    properties: dict[str, Json] = {}
    for name, each in _object(schema.get("properties")).items():
        made = _strict(each, root, levels - 1)
        properties[name] = made if name in needed or accepts_null(each, root) else _or_null(made)
    return {"properties": properties, "required": list(properties), "additionalProperties": False}


def _or_null(schema: JsonObject) -> JsonObject:
    inner = {key: value for key, value in schema.items() if key != "description"}
    outer = {"description": schema["description"]} if "description" in schema else {}
    return {**outer, "anyOf": [*(_list(inner["anyOf"]) if "anyOf" in inner else [inner]), _NULL]}


def _size(schema: JsonObject) -> tuple[int, int]:
    """How many properties and how many choices there are in all."""
    properties, choices = len(_object(schema.get("properties"))), len(_list(schema.get("enum")))
    below = [*_object(schema.get("properties")).values(), *_list(schema.get("anyOf")), schema.get("items")]
    for each in below:
        if isinstance(each, Mapping):
            more = _size(each)
            properties, choices = properties + more[0], choices + more[1]
    return properties, choices


# ------------------------------------------------------------------------------------------------------- Gemini


def gemini(schema: JsonObject) -> JsonObject:
    """The schema of an object as a Gemini `Schema`. Raises Inexpressible for one that contains itself."""
    return _gemini(schema, schema, 32)


def _gemini(given: Json, root: JsonObject, levels: int) -> JsonObject:
    if levels == 0:
        raise Inexpressible
    schema, may_be_null = _without_null(_resolved(given, root), root)
    marks: JsonObject = {"nullable": True} if may_be_null else {}
    if is_open(schema):
        return {**_described(schema, note=_AS_TEXT), "type": "STRING", **marks}
    if "anyOf" in schema:
        branches = [_gemini(each, root, levels - 1) for each in _list(schema["anyOf"])]
        return {**_described(schema, "default"), "anyOf": branches, **marks}
    kind = str(schema["type"])
    kept: dict[str, Json] = {key: schema[key] for key in _GEMINI_KEYS if key in schema}
    told = ["default"]
    choices = [schema["const"]] if "const" in schema else _list(schema.get("enum"))
    if choices and kind == "string":
        kept |= {"enum": [str(each) for each in choices], "format": "enum"}
    elif choices:
        told += ["enum", "const"]
    elif kind == "string" and schema.get("format") == "date-time":
        kept["format"] = "date-time"
    told += [key for key in ("exclusiveMinimum", "exclusiveMaximum") if key in schema]
    if kind == "array":
        kept["items"] = _gemini(schema.get("items", {}), root, levels - 1)
    if kind == "object":
        properties = {name: _gemini(each, root, levels - 1) for name, each in _object(schema.get("properties")).items()}
        needed = _list(schema.get("required"))
        kept |= {"properties": properties, "propertyOrdering": list(properties), "required": list(needed)}
    return {**_described(schema, *told), "type": kind.upper(), **kept, **marks}


def _without_null(schema: JsonObject, root: JsonObject) -> tuple[JsonObject, bool]:
    """The schema for values other than null, and whether null was among them."""
    if "anyOf" in schema:
        others = [each for each in _list(schema["anyOf"]) if _resolved(each, root).get("type") != "null"]
        outer = {key: value for key, value in schema.items() if key != "anyOf"}
        inner = _resolved(others[0], root) if len(others) == 1 else {"anyOf": others}
        return {**inner, **outer}, len(others) < len(_list(schema["anyOf"]))
    kind = schema.get("type")
    if isinstance(kind, Sequence) and not isinstance(kind, str):
        kinds = [each for each in kind if each != "null"]
        rest = {key: value for key, value in schema.items() if key != "type"}
        one: JsonObject = {**rest, "type": kinds[0]} if len(kinds) == 1 else {"anyOf": [{"type": k} for k in kinds]}
        return one, len(kinds) < len(kind)
    return schema, False


def is_open(schema: JsonObject) -> bool:
    """Whether its values' form is not known beforehand: anything, or an object of any properties."""
    if "anyOf" in schema:
        return False
    if not _COMBINING.isdisjoint(schema) or "type" not in schema:
        return True
    return schema["type"] == "object" and not _object(schema.get("properties"))


# -------------------------------------------------------------------------------------------------- and back again


def without_nulls(value: Json, schema: Json, root: JsonObject) -> Json:
    """A strict value as the original schema has it: null for what is optional means that it is left out."""
    fitting = _branch(value, _resolved(schema, root), root)
    if isinstance(value, Mapping):
        properties = _object(fitting.get("properties"))
        return {
            name: without_nulls(each, properties.get(name, {}), root)
            for name, each in value.items()
            if each is not None or name not in properties or accepts_null(properties[name], root)
        }
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [without_nulls(each, fitting.get("items", {}), root) for each in value]
    return value


def from_gemini(value: Json, schema: Json, root: JsonObject) -> Json:
    """A value as the original schema has it: text that holds JSON is read, and 3.0 is 3 where a whole number belongs.

    (Gemini's arguments travel as `google.protobuf.Struct`, which knows only floating point.)
    """
    given = _resolved(schema, root)
    bare, _ = _without_null(given, root)
    if isinstance(value, str) and is_open(bare):
        return _read(value)
    if isinstance(value, float) and value.is_integer() and _kinds(given, root).isdisjoint({"number"}):
        return int(value)
    fitting = _branch(value, given, root)
    if isinstance(value, Mapping):
        properties = _object(fitting.get("properties"))
        return {name: from_gemini(each, properties.get(name, {}), root) for name, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [from_gemini(each, fitting.get("items", {}), root) for each in value]
    return value


def accepts_null(schema: Json, root: JsonObject) -> bool:
    """Whether null is one of its values. What says nothing about types takes everything."""
    kinds = _kinds(_resolved(schema, root), root)
    return not kinds or "null" in kinds


def _read(text: str) -> Json:
    try:
        value: Json = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value


def _branch(value: Json, schema: JsonObject, root: JsonObject) -> JsonObject:
    """The alternative that this value most likely means."""
    branches = [_resolved(each, root) for each in _list(schema.get("anyOf"))]
    if not branches:
        return schema
    wanted = "object" if isinstance(value, Mapping) else "array"
    fitting = [each for each in branches if each.get("type") == wanted]
    if isinstance(value, Mapping):
        knowing = [each for each in fitting if value.keys() <= _object(each.get("properties")).keys()]
        fitting = knowing or fitting
    return fitting[0] if fitting else {}


def _kinds(schema: JsonObject, root: JsonObject) -> frozenset[str]:
    if "anyOf" in schema:
        return frozenset().union(*(_kinds(_resolved(each, root), root) for each in _list(schema["anyOf"])))
    kind = schema.get("type")
    if isinstance(kind, str):
        return frozenset({kind})
    return frozenset(str(each) for each in _list(kind))


def _resolved(schema: Json, root: JsonObject) -> JsonObject:
    """The schema with what it refers to; words beside a reference win. True means anything."""
    found = _object(schema)
    for _ in range(32):
        name = found.get("$ref")
        if not isinstance(name, str):
            return found
        target = _object(_object(root.get("$defs")).get(name.removeprefix("#/$defs/")))
        found = {**target, **{key: value for key, value in found.items() if key != "$ref"}}
    raise Inexpressible


_WORDS: Final = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "default": "{} when left out",
    "enum": "one of {}",
    "const": "always {}",
}


def _described(schema: JsonObject, *told: str, note: str = "") -> JsonObject:
    """The description, with what the subset cannot say."""
    facts = [
        _WORDS[key].format(json.dumps(schema[key], ensure_ascii=False))
        for key in told
        if key in schema and not (key == "default" and schema[key] is None)
    ]
    parts = [str(schema.get("description", "")), note, f"({'; '.join(facts)})" if facts else ""]
    text = " ".join(part for part in parts if part)
    return {"description": text} if text else {}


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, Mapping) else {}


def _list(value: Json) -> Sequence[Json]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else []
