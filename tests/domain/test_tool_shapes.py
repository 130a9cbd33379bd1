"""One definition, five shapes: every action of the catalogue is valid by each vendor's published rules, and comes back.

The rules stand here a second time, from the vendors' pages and not from our code.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

from domain.catalogue import Action, Integration
from domain.errors import InvalidInput
from domain.json import Json
from domain.tool_answers import ToolAnswer
from domain.tool_shapes import LONGEST_DESCRIPTION, ToolCall, ToolFormat, as_given, call_in, reply, shaped
from domain.tools import Tool, action_named, tool_name
from tests.domain.test_tools import ACTIONS, CATALOGUE
from tests.support.nouns import MOOR, SampleAction, SampleIntegration, connection

#: What OpenAI's strict subset knows beside `type`, and what Gemini's `Schema` has for members.
STRICT = {"properties", "required", "additionalProperties", "description", "enum", "anyOf", "items", "pattern"} | {
    *("format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems")
}
STRICT_FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
GEMINI = {"type", "format", "title", "description", "nullable", "enum", "maxItems", "minItems", "properties"} | {
    *("required", "minProperties", "maxProperties", "minLength", "maxLength", "pattern", "example", "anyOf"),
    *("propertyOrdering", "default", "items", "minimum", "maximum"),
}
GEMINI_TYPES = {"STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT"}
OPEN: dict[str, Json] = {
    "type": "object",
    "properties": {
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "anything": {"description": "Whatever."},
        "count": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
        "mode": {"type": "string", "const": "fast"},
        "size": {"type": "integer", "exclusiveMinimum": 0, "enum": [1, 2]},
    },
    "required": ["labels"],
    "additionalProperties": False,
}


def tool(integration: Integration, action: Action, accounts: int = 2) -> Tool:
    return Tool(integration, action, [connection() for _ in range(accounts)], must_choose=False)


def below(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """This schema and all within it."""
    yield schema
    inside = [*schema.get("properties", {}).values(), *schema.get("anyOf", []), schema.get("items")]
    for each in inside:
        if isinstance(each, Mapping):
            yield from below(each)


def depth(schema: Mapping[str, Any]) -> int:
    inside = [*schema.get("properties", {}).values(), schema.get("items")]
    deeper = [1 + depth(each) for each in inside if isinstance(each, Mapping)]
    return max([*deeper, *(depth(each) for each in schema.get("anyOf", []))], default=0)


# -------------------------------------------------------------------------------------------- by the vendors' rules


def check_openai(made: Any) -> None:
    assert made["type"] == "function"
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", made["name"])
    assert len(made["description"]) <= LONGEST_DESCRIPTION
    Draft202012Validator.check_schema(made["parameters"])
    assert made["parameters"]["type"] == "object"
    if not made["strict"]:
        return
    everything = list(below(made["parameters"]))
    assert sum(len(each.get("properties", {})) for each in everything) <= 5_000
    assert sum(len(each.get("enum", [])) for each in everything) <= 1_000
    assert depth(made["parameters"]) <= 10
    for each in everything:
        assert each.keys() <= STRICT | {"type"}, each
        assert "type" in each or "anyOf" in each
        assert each.get("format", "date") in STRICT_FORMATS
        if each.get("type") == "object":
            assert each["additionalProperties"] is False
            assert set(each["required"]) == set(each["properties"])


def check_anthropic(made: Any) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", made["name"])
    assert made["description"]
    schema = made["input_schema"]
    Draft202012Validator.check_schema(schema)
    assert schema["type"] == "object"
    assert not {"anyOf", "oneOf", "allOf"} & schema.keys()
    assert all(re.fullmatch(r"[a-zA-Z0-9_.-]{1,64}", name) for name in schema["properties"])


def check_gemini(made: Any) -> None:
    assert re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}", made["name"])
    assert made["description"]
    for each in below(made["parameters"]):
        assert each.keys() <= GEMINI, each
        assert "anyOf" in each or each["type"] in GEMINI_TYPES
        assert "enum" not in each or (each["type"] == "STRING" and all(isinstance(one, str) for one in each["enum"]))
        assert each.get("format", "enum") in {"enum", "date-time"}
        if each.get("type") == "OBJECT":
            assert each["properties"]
            assert set(each["required"]) <= set(each["properties"])
            assert all(re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]{0,63}", name) for name in each["properties"])
        if each.get("type") == "ARRAY":
            assert each["items"]


def check_mcp(made: Any) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,128}", made["name"])
    for schema in (made["inputSchema"], made["outputSchema"]):
        Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"
    assert set(made["annotations"]) == {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}


def check_json_schema(made: Any) -> None:
    Draft202012Validator.check_schema(made)
    assert made["$schema"].endswith("2020-12/schema")
    assert re.fullmatch(r"[a-zA-Z0-9_]{1,64}", made["title"])
    assert made["description"]


CHECKS = {
    ToolFormat.OPENAI: check_openai,
    ToolFormat.ANTHROPIC: check_anthropic,
    ToolFormat.GEMINI: check_gemini,
    ToolFormat.MCP: check_mcp,
    ToolFormat.JSON_SCHEMA: check_json_schema,
}


@pytest.mark.parametrize("format", ToolFormat)
def test_every_action_is_valid_by_the_vendors_rules(format: ToolFormat) -> None:
    for integration, action in (each.values for each in ACTIONS):
        CHECKS[format](shaped(tool(integration, action), format))  # type: ignore[arg-type]  # a pair, as ACTIONS has it


def test_every_action_of_the_catalogue_can_be_strict() -> None:
    made = [shaped(tool(*each.values), ToolFormat.OPENAI) for each in ACTIONS]  # type: ignore[arg-type]  # pairs
    assert [each["name"] for each in made if not each["strict"]] == []


@pytest.mark.parametrize("format", ToolFormat)
def test_what_a_subset_cannot_say_is_still_valid(format: ToolFormat) -> None:
    made = shaped(tool(SampleIntegration(), replace(MOOR, parameters_schema=OPEN)), format)
    CHECKS[format](made)


# ------------------------------------------------------------------------------------------------- there and back


def resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    name = schema.get("$ref")
    return {**root["$defs"][name.split("/")[-1]], **schema} if name else schema


def sample(given: Mapping[str, Any], root: Mapping[str, Any], *, full: bool) -> Any:
    """A value of the schema's structure: with everything, or only with what must be."""
    schema = resolved(given, root)
    if "anyOf" in schema:
        others = [each for each in schema["anyOf"] if resolved(each, root).get("type") != "null"]
        return sample(others[-1], root, full=full)
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[-1])
    kinds = {"string": "text", "integer": 3, "number": 2.5, "boolean": True}
    kind = schema.get("type")
    if kind == "object":
        needed, properties = schema.get("required", []), schema.get("properties", {})
        if not properties:
            return {"free": ["form", 1, None]}
        return {name: sample(each, root, full=full) for name, each in properties.items() if full or name in needed}
    if kind == "array":
        return [sample(schema["items"], root, full=full)]
    return kinds.get(kind, {"any": ["thing", 1]}) if isinstance(kind, str) else {"any": ["thing", 1]}


def as_strict(value: Any, shape: Mapping[str, Any]) -> Any:
    """As OpenAI's model has to say it: nothing left out."""
    if "anyOf" in shape:
        if value is None:
            return None
        wanted = "object" if isinstance(value, dict) else "array" if isinstance(value, list) else None
        fitting = [each for each in shape["anyOf"] if each.get("type") == wanted]
        knowing = [each for each in fitting if wanted == "array" or value.keys() <= each["properties"].keys()]
        return as_strict(value, (knowing or fitting)[0]) if fitting else value
    if isinstance(value, dict):
        return {name: as_strict(value.get(name), each) for name, each in shape["properties"].items()}
    if isinstance(value, list):
        return [as_strict(each, shape["items"]) for each in value]
    return value


def as_gemini(value: Any, shape: Mapping[str, Any]) -> Any:
    """As a `Struct` carries it: every number with a point, what has no form as text."""
    if shape.get("type") == "STRING" and not isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, dict):
        shapes = [shape, *shape.get("anyOf", [])]
        known = next(each["properties"] for each in shapes if value.keys() <= each.get("properties", {}).keys())
        return {name: as_gemini(each, known[name]) for name, each in value.items()}
    if isinstance(value, list):
        items = next(each["items"] for each in [shape, *shape.get("anyOf", [])] if "items" in each)
        return [as_gemini(each, items) for each in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def called(made: Tool, format: ToolFormat, parameters: Mapping[str, Any]) -> Json:
    """The call, as each vendor's API hands it over."""
    shape: Any = shaped(made, format)
    match format:
        case ToolFormat.OPENAI:
            asked = as_strict(parameters, shape["parameters"]) if shape["strict"] else parameters
            validator = Draft202012Validator(without_forms(shape["parameters"]))
            assert validator.is_valid(asked), [error.message for error in validator.iter_errors(asked)]
            return {"type": "function_call", "call_id": "c1", "name": made.name, "arguments": json.dumps(asked)}
        case ToolFormat.ANTHROPIC:
            return {"type": "tool_use", "id": "c1", "name": made.name, "input": dict(parameters)}
        case ToolFormat.GEMINI:
            args = as_gemini(parameters, shape["parameters"])
            return {"functionCall": {"id": "c1", "name": made.name, "args": args}}
        case _:
            return {"name": made.name, "arguments": dict(parameters)}


def without_forms(schema: Any) -> Any:
    """Types and structure only: samples are no real addresses and no real amounts."""
    forms = {"pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems"}
    if isinstance(schema, dict):
        return {key: without_forms(each) for key, each in schema.items() if key not in forms or isinstance(each, dict)}
    return [without_forms(each) for each in schema] if isinstance(schema, list) else schema


@pytest.mark.parametrize("full", [True, False], ids=["everything", "the least"])
@pytest.mark.parametrize("format", ToolFormat)
def test_every_action_comes_back_from_a_call(format: ToolFormat, full: bool) -> None:
    for pair in ACTIONS:
        integration, action = pair.values
        made = tool(integration, action)  # type: ignore[arg-type]  # a pair, as ACTIONS has it
        schema: Any = made.action.parameters_schema
        parameters = sample(schema, schema, full=full)
        if not schema.get("properties"):
            parameters = {}
        call = call_in(format, called(made, format, parameters))
        assert action_named(CATALOGUE, call.name) is made.action
        given = dict(as_given(made.action, format, call.arguments))
        for own in ("connection", "idempotency_key"):
            if own not in schema["properties"]:
                assert given.pop(own, None) is None
        assert dropped(given) == dropped(parameters), made.name


def dropped(value: Any) -> Any:
    """Null and absent are one for what accepts null."""
    if isinstance(value, dict):
        return {name: dropped(each) for name, each in value.items() if each is not None}
    return [dropped(each) for each in value] if isinstance(value, list) else value


def test_what_has_no_form_comes_back_from_text() -> None:
    action = replace(MOOR, parameters_schema=OPEN)
    given: dict[str, Json] = {"labels": '{"a": "b"}', "anything": "[1, 2]", "count": 4.0, "mode": "fast", "size": None}
    back = as_given(action, ToolFormat.GEMINI, given)
    assert back == {"labels": {"a": "b"}, "anything": [1, 2], "count": 4, "mode": "fast"}
    assert isinstance(back["count"], int)
    assert as_given(action, ToolFormat.GEMINI, {"anything": "no JSON"}) == {"anything": "no JSON"}


def test_null_stays_where_the_action_takes_it_and_goes_where_it_does_not() -> None:
    action = replace(MOOR, parameters_schema=OPEN)
    given: dict[str, Json] = {"labels": {"a": None}, "count": None, "mode": None, "surplus": None}
    assert as_given(action, ToolFormat.OPENAI, given) == {"labels": {"a": None}, "count": None, "surplus": None}


def test_a_call_of_chat_completions_is_a_call_of_openai() -> None:
    call: Json = {"id": "c2", "type": "function", "function": {"name": "harbour_moor", "arguments": '{"berth": 1}'}}
    assert call_in(ToolFormat.OPENAI, call) == ToolCall("harbour_moor", {"berth": 1}, "c2")


@pytest.mark.parametrize(
    ("format", "call"),
    [
        (ToolFormat.OPENAI, {"name": "a", "arguments": "{"}),
        (ToolFormat.OPENAI, {"name": "a", "arguments": "[" * 100_000}),
        (ToolFormat.OPENAI, {"name": "a", "arguments": "[]"}),
        (ToolFormat.ANTHROPIC, {"input": {}}),
        (ToolFormat.GEMINI, {"functionCall": []}),
        (ToolFormat.MCP, "a"),
        (ToolFormat.JSON_SCHEMA, {"name": "a", "arguments": 1}),
    ],
)
def test_what_is_no_call_is_refused(format: ToolFormat, call: Json) -> None:
    with pytest.raises(InvalidInput):
        call_in(format, call)


@pytest.mark.parametrize("is_error", [True, False])
@pytest.mark.parametrize("format", ToolFormat)
def test_answers_go_back_in_the_vendors_shape(format: ToolFormat, is_error: bool) -> None:
    answer = ToolAnswer({"code": "NO"}, "No.", is_error=is_error)
    made: Any = reply(format, ToolCall("harbour_moor", {}, "c1"), answer)
    match format:
        case ToolFormat.OPENAI:
            assert (made["type"], made["call_id"]) == ("function_call_output", "c1")
            assert made["output"].startswith("No.")
        case ToolFormat.ANTHROPIC:
            assert (made["type"], made["tool_use_id"], made["is_error"]) == ("tool_result", "c1", is_error)
        case ToolFormat.GEMINI:
            key = "error" if is_error else "output"
            assert made == {"functionResponse": {"id": "c1", "name": "harbour_moor", "response": {key: {"code": "NO"}}}}
        case ToolFormat.MCP:
            assert made["isError"] is is_error
            assert made["structuredContent"] == {"code": "NO"}
        case ToolFormat.JSON_SCHEMA:
            assert made == {"code": "NO"}


def test_a_name_that_means_nothing_is_no_action() -> None:
    assert action_named(CATALOGUE, "github_nothing") is None
    assert action_named(CATALOGUE, "nothing") is None
    action = CATALOGUE.action("github.create_issue")
    assert action is not None
    assert action_named(CATALOGUE, tool_name(action)) is action_named(CATALOGUE, "github.create_issue") is action


def test_long_descriptions_are_cut_where_the_vendor_refuses_them() -> None:
    action: SampleAction = replace(MOOR, description="word " * 400, parameters_schema=OPEN)
    made: Any = shaped(tool(SampleIntegration(), action), ToolFormat.OPENAI)
    assert len(made["description"]) == LONGEST_DESCRIPTION
