"""Tools in the shapes of model vendors, and their calls as models make them."""

from typing import Annotated, cast

import strawberry

from domain.errors import InvalidInput, Refusal
from domain.executions import ExecutionMode as Mode
from domain.json import Json
from domain.tool_shapes import reply, shaped
from domain.tools import Tool
from resolvers import tools
from schema.catalogue import Action
from schema.context import Info
from schema.errors import UserError, error_of
from schema.executions import Execution
from schema.scalars import JSON, ExecutionMode, ToolFormat

_Format = Annotated[ToolFormat, strawberry.argument(description="Whose shape.")]
_Integration = Annotated[
    str | None, strawberry.argument(description="Only this integration's, by slug; null for all of them.")
]


@strawberry.type(description="An action the viewer may run now, as a model is told of it.")
class ToolDefinition:
    """Built from a tool."""

    name: str = strawberry.field(description="What models call it: letters, digits and underscores, at most 64.")
    action: Action = strawberry.field(description="What it runs.")
    definition: JSON = strawberry.field(description="To hand over as it is; valid by the vendor's published rules.")

    @classmethod
    def of(cls, noun: Tool, format: ToolFormat) -> "ToolDefinition":
        """In that shape."""
        return cls(name=noun.name, action=Action.of(noun.action), definition=JSON(shaped(noun, format)))


@strawberry.input(description="A call as a model made it, and whose shape it has.")
class ExecuteToolInput:
    """For executeTool."""

    format: ToolFormat = strawberry.field(description="Whose shape the call has.")
    call: JSON = strawberry.field(
        description="OPENAI: a `function_call` item, or a tool call of Chat Completions. ANTHROPIC: a `tool_use` "
        "block. GEMINI: a `functionCall`. MCP and JSON_SCHEMA: `name` and `arguments`."
    )
    idempotency_key: str | None = strawberry.field(
        description="The same call with the same key is done once. Without it: the vendor's own id of the call.",
        default=None,
    )
    mode: ExecutionMode | None = strawberry.field(description="As for `execute`.", default=None)


@strawberry.type(description="What became of the call, and what to tell the model. One of `execution` and `errors`.")
class ExecuteToolPayload:
    """From executeTool."""

    execution: Execution | None = strawberry.field(description="When it was admitted.", default=None)
    answer: JSON | None = strawberry.field(
        description="To hand back to the model as it is, refusals included; null when the call could not be read.",
        default=None,
    )
    errors: list[UserError] = strawberry.field(
        description="What the caller, or a person, can put right. Empty when it was admitted.", default_factory=list
    )


async def tool_definitions(info: Info, format: _Format, integration: _Integration = None) -> list[ToolDefinition]:
    """Decided as `execute` decides."""
    found = await tools.tool_definitions(info.context.services, info.context.caller, integration)
    return [ToolDefinition.of(each, format) for each in found]


async def execute_tool(
    info: Info, input: Annotated[ExecuteToolInput, strawberry.argument(description="Everything it needs.")]
) -> ExecuteToolPayload:
    """The same use case as `execute`."""
    services, caller, header = info.context.services, info.context.caller, info.context.idempotency_key
    given, mode = cast(Json, input.call), input.mode or Mode.WAIT
    try:
        if None not in (input.idempotency_key, header) and input.idempotency_key != header:
            message = "The `Idempotency-Key` header and `idempotencyKey` differ. Send one of them."
            raise InvalidInput(message, ("input", "idempotencyKey"))
        key = input.idempotency_key or header
        done = await tools.run_as_called(services, caller, input.format, given, key, mode)
    except Refusal as refusal:
        return ExecuteToolPayload(errors=[error_of(refusal)])
    return ExecuteToolPayload(
        execution=Execution.of(done.execution) if done.execution else None,
        answer=JSON(reply(input.format, done.call, done.answer)),
        errors=[error_of(done.refusal)] if done.refusal else [],
    )
