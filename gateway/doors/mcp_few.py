"""Few tools for many actions: to search, to describe, to execute.

A model that is shown hundreds of tools chooses badly and pays for reading them. Above `MANDATE_MCP_TOOLS` the list
holds these three. What is run, recorded and granted is still the action itself, under its own name.
"""

import json
from typing import Any, Final

from mcp_types import Tool as Listed
from mcp_types import ToolAnnotations, ToolExecution

from domain.callers import Caller
from domain.errors import InvalidParameters, PermissionDenied, Violation
from domain.json import Json, JsonObject
from domain.tool_answers import ToolAnswer
from domain.tool_shapes import ToolFormat, shaped
from domain.tools import action_named, tool_name
from resolvers.catalogue import standings_for, why_not
from resolvers.searching import search_actions
from resolvers.services import Services
from resolvers.tools import tools

SEARCH, DESCRIBE, EXECUTE = "search_actions", "describe_action", "execute_action"
NAMES: Final = frozenset({SEARCH, DESCRIBE, EXECUTE})
_USUAL_COUNT, _MOST = 10, 50
_ACTION: Final = {"type": "string", "description": "Its name, as search_actions gives it."}


async def search(services: Services, caller: Caller, given: JsonObject) -> dict[str, Any]:
    """The best first, with whether the caller could run it now. Raises a Refusal."""
    query, limit = given.get("query"), given.get("limit", _USUAL_COUNT)
    mistakes = [] if isinstance(query, str) else [Violation("/query", "What should be done, in a few words.")]
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= _MOST:
        mistakes.append(Violation("/limit", f"From 1 to {_MOST}."))
    if mistakes or not isinstance(query, str) or not isinstance(limit, int):
        raise InvalidParameters(mistakes)
    found = await search_actions(services, caller, query, limit, lambda slugs: standings_for(services, caller, slugs))
    actions = [
        {
            "action": tool_name(each.action),
            "title": each.action.title,
            "description": each.action.description.partition("\n\n")[0],
            "effect": each.action.effect.name,
            "canExecute": each.is_executable,
        }
        for each in found
    ]
    return {"actions": actions}


async def describe(services: Services, caller: Caller, given: JsonObject) -> JsonObject:
    """The tool that it would be, schemas and accounts and all. Raises a Refusal."""
    name = action_in(given)
    action = action_named(services.catalogue, name)
    if action is None:
        raise InvalidParameters([Violation("/action", "There is no action of this name. Search for it.")])
    for each in await tools(services, caller, action.integration):
        if each.action is action:
            return shaped(each, ToolFormat.MCP)
    [standing] = await standings_for(services, caller, [action.integration])
    reason = why_not(services, caller, standing, action) or "You may not run this now."
    raise PermissionDenied(reason, reason="viewer_cannot_execute")


def action_in(given: JsonObject) -> str:
    """The action's name. Raises InvalidParameters."""
    name = given.get("action")
    if not isinstance(name, str):
        raise InvalidParameters([Violation("/action", "The name of an action, as search_actions gives it.")])
    return name


def arguments_in(given: JsonObject) -> dict[str, Json]:
    """What to run it with. Raises InvalidParameters."""
    arguments = given.get("arguments", {})
    if not isinstance(arguments, dict):
        raise InvalidParameters([Violation("/arguments", "An object, as describe_action shows it.")])
    return arguments


def plain(content: JsonObject, text: str) -> ToolAnswer:
    """An answer of our own, about no execution."""
    return ToolAnswer(content, text, is_error=False)


def listed() -> list[Listed]:
    """By name. Executing may do the worst that any action does; which one it is decides what really holds."""
    asks = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
    acts = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=True)
    return [
        Listed(
            name=DESCRIBE,
            title="Describe an action",
            description="What an action does, which arguments it takes, and on which accounts it acts.",
            input_schema=_object({"action": _ACTION}, ["action"]),
            annotations=asks,
        ),
        Listed(
            name=EXECUTE,
            title="Execute an action",
            description="Runs one action. Describe it first: `arguments` are checked against its own schema. "
            "Give `idempotency_key` in them to whatever must not happen twice.",
            input_schema=_object(
                {"action": _ACTION, "arguments": {"type": "object", "description": "As describe_action shows them."}},
                ["action", "arguments"],
            ),
            annotations=acts,
            execution=ToolExecution(task_support="optional"),
        ),
        Listed(
            name=SEARCH,
            title="Search for actions",
            description="Finds actions by what they are good for, such as `send an invoice`. `canExecute` says "
            "whether you may run one now; a person can grant or connect the others.",
            input_schema=_object(
                {
                    "query": {"type": "string", "minLength": 1, "maxLength": 400, "description": "In a few words."},
                    "limit": {"type": "integer", "minimum": 1, "maximum": _MOST, "description": "At most; 10."},
                },
                ["query"],
            ),
            annotations=asks,
        ),
    ]


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def in_words(content: JsonObject) -> str:
    """For the model."""
    return json.dumps(content, ensure_ascii=False)
