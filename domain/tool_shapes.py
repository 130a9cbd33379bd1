"""One definition of a tool in the shapes that model vendors and frameworks take, and their calls brought back.

- OPENAI: a function of the Responses API, strict wherever the strict subset can say it
  (https://platform.openai.com/docs/guides/function-calling). Chat Completions takes the same members one level deeper.
- ANTHROPIC: a tool of the Messages API (https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/overview).
- GEMINI: a `FunctionDeclaration` (https://ai.google.dev/api/caching#FunctionDeclaration).
- MCP: as `tools/list` gives it (revisions 2025-11-25 and 2026-07-28).
- JSON_SCHEMA: a schema of the arguments (2020-12) whose `title` is the tool's name, as LangChain and others read it.

Names are letters, digits and underscores, at most 64 characters: what all of them allow.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, cast

from domain.catalogue import Action
from domain.errors import InvalidInput
from domain.json import Json, JsonObject
from domain.tool_answers import ToolAnswer
from domain.tool_schemas import Inexpressible, from_gemini, gemini, strict, without_nulls
from domain.tools import Tool

#: OpenAI cuts no description short: it refuses longer ones.
LONGEST_DESCRIPTION: Final = 1_024


class ToolFormat(StrEnum):
    """Whose shape."""

    OPENAI = "OPENAI"
    ANTHROPIC = "ANTHROPIC"
    GEMINI = "GEMINI"
    MCP = "MCP"
    JSON_SCHEMA = "JSON_SCHEMA"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A vendor's call, read. `id` is the vendor's name for this one call, where it gives one."""

    name: str
    arguments: JsonObject
    id: str | None = None


def shaped(tool: Tool, format: ToolFormat) -> JsonObject:
    """The definition to hand to a model."""
    match format:
        case ToolFormat.OPENAI:
            return _openai(tool)
        case ToolFormat.ANTHROPIC:
            return {"name": tool.name, "description": tool.description, "input_schema": tool.arguments_schema}
        case ToolFormat.GEMINI:
            return {"name": tool.name, "description": tool.description, "parameters": gemini(tool.arguments_schema)}
        case ToolFormat.MCP:
            return _mcp(tool)
        case ToolFormat.JSON_SCHEMA:
            words: JsonObject = {"title": tool.name, "description": tool.description}
            return {"$schema": "https://json-schema.org/draft/2020-12/schema", **words, **tool.arguments_schema}


def call_in(format: ToolFormat, call: Json) -> ToolCall:
    """A vendor's call as the model made it. Raises InvalidInput when it has not that vendor's shape."""
    given = call if isinstance(call, Mapping) else {}
    if format is ToolFormat.OPENAI:
        inner = given.get("function", given)  # Chat Completions nests what Responses has side by side
        return _read(inner, "arguments", given.get("call_id") or given.get("id"))
    if format is ToolFormat.ANTHROPIC:
        return _read(given, "input", given.get("id"))
    if format is ToolFormat.GEMINI:
        inner = given.get("functionCall", given.get("function_call", given))
        return _read(inner, "args", _object(inner).get("id"))
    return _read(given, "arguments", None)


def as_given(action: Action, format: ToolFormat, arguments: JsonObject) -> JsonObject:
    """Arguments in the action's own form, from the form that its shape asked for."""
    schema = action.parameters_schema
    if format is ToolFormat.OPENAI:
        return cast(JsonObject, without_nulls(arguments, schema, schema))
    if format is ToolFormat.GEMINI:
        return cast(JsonObject, from_gemini(without_nulls(arguments, schema, schema), schema, schema))
    return arguments


def reply(format: ToolFormat, call: ToolCall, answer: ToolAnswer) -> JsonObject:
    """What to hand back to the model."""
    match format:
        case ToolFormat.OPENAI:
            return {"type": "function_call_output", "call_id": call.id, "output": _whole(answer)}
        case ToolFormat.ANTHROPIC:
            told: JsonObject = {"content": _whole(answer), "is_error": answer.is_error}
            return {"type": "tool_result", "tool_use_id": call.id, **told}
        case ToolFormat.GEMINI:
            named: JsonObject = {"id": call.id} if call.id is not None else {}
            key = "error" if answer.is_error else "output"
            return {"functionResponse": {**named, "name": call.name, "response": {key: answer.content}}}
        case ToolFormat.MCP:
            content = [{"type": "text", "text": answer.text}]
            return {"content": content, "structuredContent": answer.content, "isError": answer.is_error}
        case ToolFormat.JSON_SCHEMA:
            return answer.content


def _openai(tool: Tool) -> JsonObject:
    description = tool.description
    if len(description) > LONGEST_DESCRIPTION:
        description = description[: LONGEST_DESCRIPTION - 1] + "…"
    named: JsonObject = {"type": "function", "name": tool.name, "description": description}
    try:
        return {**named, "parameters": strict(tool.arguments_schema), "strict": True}
    except Inexpressible:
        return {**named, "parameters": tool.arguments_schema, "strict": False}


def _mcp(tool: Tool) -> JsonObject:
    hints = tool.hints
    return {
        "name": tool.name,
        "title": tool.action.title,
        "description": tool.description,
        "inputSchema": tool.arguments_schema,
        "outputSchema": tool.answer_schema,
        "annotations": {
            "readOnlyHint": hints.reads_only,
            "destructiveHint": hints.destroys,
            "idempotentHint": hints.repeats_safely,
            "openWorldHint": True,
        },
    }


def _whole(answer: ToolAnswer) -> str:
    """In one text, as models read it: facts too where something went wrong."""
    if not answer.is_error:
        return answer.text
    return f"{answer.text}\n{json.dumps(answer.content, ensure_ascii=False)}"


def _read(given: Json, key: str, id: Json) -> ToolCall:
    call = _object(given)
    name, arguments = call.get("name"), call.get(key)
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except (ValueError, RecursionError):
            raise InvalidInput("The call's arguments are not JSON.", ("input", "call", key)) from None
    if not isinstance(name, str):
        raise InvalidInput("This is not a call of that format: it has no `name`.", ("input", "call"))
    if arguments is not None and not isinstance(arguments, Mapping):
        raise InvalidInput("The call's arguments are not an object.", ("input", "call", key))
    return ToolCall(name, arguments or {}, id if isinstance(id, str) else None)


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, Mapping) else {}
