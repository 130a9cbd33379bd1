"""Subscriptions as streams of encoded answers, for the doors that carry them: sockets and events over HTTP.

What may be shared is shared (`schema.sharing`); everything else goes through Strawberry as it comes. Either way a
follower is told the same, in the same order.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import cast

import orjson
from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    Visitor,
    create_source_event_stream,
    execute_root_selection_set,
    execute_subscription_event,
    get_operation_ast,
    visit,
)
from graphql.execution import Executor
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types.execution import ExecutionResult as Result
from strawberry.types.execution import PreExecutionError

from domain.callers import Caller
from domain.history import Event
from resolvers.services import Services
from schema import encoding, limits
from schema.build import LimitedSchema
from schema.context import Context
from schema.faults import told
from schema.following import Opened
from schema.kept import is_catalogue_only
from schema.sharing import Alone, Follower, Groups, Place, Render, Shape, audience

#: Fields whose answers depend on nothing but the event and the audience.
SHARED = frozenset({"executionEvents", "approvalEvents", "connectionEvents", "auditEvents"})
_CURSOR = "after"


@dataclass(frozen=True, slots=True)
class Question:
    """One operation, as it was asked."""

    text: str
    variables: dict[str, object] | None = None
    name: str | None = None
    wants_cost: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """One operation's answer, encoded.

    `is_refusal`: it was not run at all (GraphQL, section 7.1.3). `is_lasting`: whoever has the same roles will get the
    same answer to the same question, for as long as this process lives.
    """

    body: bytes
    is_refusal: bool
    is_lasting: bool = False


class Refused(Exception):
    """The request is not run at all; `errors` say why."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__()
        self.errors = errors

    @property
    def body(self) -> bytes:
        """An answer without data."""
        return encoding.encoded({"errors": [error.formatted for error in self.errors]})


@dataclass(slots=True)
class Stream:
    """A stream under way, seen by whoever carries it. `hand` waits until there is room for more."""

    follower: Follower
    hand: Callable[[bytes], Awaitable[None]]
    place: Place | None = None


class Streams:
    """One per process. Keeps nothing about a caller but what a stream needs."""

    def __init__(self, schema: LimitedSchema, services: Services) -> None:
        self._schema = schema
        self._services = services
        self.groups = Groups()

    async def answer(self, question: Question, context: Context) -> Answer:
        """Run a query or mutation; whatever goes wrong in that is part of the answer.

        Raises Refused for a subscription, which has many answers.
        """
        try:
            document = self._checked(question)
        except Refused as refused:
            return Answer(encoding.answer(None, refused.errors), is_refusal=True)
        operation = cast(OperationDefinitionNode, get_operation_ast(document, question.name))
        if operation.operation is OperationType.SUBSCRIPTION:
            message = "A subscription has many answers: follow it over a WebSocket, or as events at /graphql/stream."
            raise Refused([told(GraphQLError(message))])
        executor = self._executor(question, document, context)
        if isinstance(executor, list):
            return Answer(encoding.answer(None, [told(error) for error in executor]), is_refusal=True)
        result = execute_root_selection_set(executor)
        if inspect.isawaitable(result):
            result = await result
        errors = [told(error) for error in result.errors] if result.errors else None
        extensions = self._cost(question) if question.wants_cost else None
        is_lasting = errors is None and self._is_lasting(question)
        return Answer(encoding.answer(result.data, errors, extensions), is_refusal=False, is_lasting=is_lasting)

    def _executor(
        self, question: Question, document: DocumentNode, context: Context
    ) -> Executor[object] | list[GraphQLError]:
        """graphql-core's, straight away: a known document needs nothing that Strawberry does around it.

        The errors instead, when the variables do not fit.
        """
        return StrawberryGraphQLCoreExecutionContext.build(
            self._schema._schema,  # noqa: SLF001
            document,
            context_value=context,
            raw_variable_values=question.variables,
            operation_name=question.name,
        )

    def kind(self, question: Question) -> OperationType:
        """What the operation is. Raises Refused when it would not be run."""
        document = self._checked(question)
        operation = cast(OperationDefinitionNode, get_operation_ast(document, question.name))
        return operation.operation

    async def follow(self, question: Question, caller: Caller, stream: Stream) -> bool:
        """Carry a subscription. When this returns, all is told, or (True) others have taken over: see `stream.place`.

        Raises Refused before anything was told.
        """
        document = self._checked(question)
        operation = cast(OperationDefinitionNode, get_operation_ast(document, question.name))
        if not _is_shareable(operation):
            await self._alone(question, caller, stream)
            return False
        shape = _shape(question, document, operation, caller)
        try:
            opened, render = await self._open(question, document, shape.audience)
        except Refused:
            raise
        except Exception as error:  # noqa: BLE001  # told as any error of a field is, or masked
            await stream.hand(encoding.answer(None, [told_of(error)]))
            return False

        def join() -> bool:
            stream.place = self.groups.join(shape, opened, render, stream.follower)
            return stream.place is not None

        try:
            await Alone(opened, render).run(stream.hand, join)
        except Exception as error:  # noqa: BLE001
            await stream.hand(encoding.answer(None, [told_of(error)]))
        finally:
            if stream.place is None:
                opened.events.close()
        return stream.place is not None

    def _checked(self, question: Question) -> DocumentNode:
        documents, schema = self._schema.documents, self._schema._schema  # noqa: SLF001  # its only handle
        known = documents.of(schema, question.text)
        if errors := documents.refusals(schema, known, question.name, question.variables):
            raise Refused([told(error) for error in errors])
        return cast(DocumentNode, known.document)

    def _is_lasting(self, question: Question) -> bool:
        schema = self._schema._schema  # noqa: SLF001
        known = self._schema.documents.of(schema, question.text)
        if known.document is None:
            return False
        if question.name not in known.lasting:
            operation = cast(OperationDefinitionNode, get_operation_ast(known.document, question.name))
            known.lasting[question.name] = is_catalogue_only(schema, known.document, operation)
        return known.lasting[question.name]

    def _cost(self, question: Question) -> dict[str, object]:
        documents, schema = self._schema.documents, self._schema._schema  # noqa: SLF001
        known = documents.of(schema, question.text)
        counted = documents.cost(schema, known, question.name, question.variables or {})
        return {"cost": {"counted": counted, "allowed": limits.COST.allowed}}

    async def _alone(self, question: Question, caller: Caller, stream: Stream) -> None:
        """As Strawberry does it."""
        answers = await self._schema.stream(
            question.text,
            variable_values=question.variables,
            context_value=Context(self._services, caller),
            operation_name=question.name,
        )
        async with aclosing(cast("AsyncIterator[Result]", answers)) as results:  # type: ignore[type-var]  # generators
            async for result in results:
                if isinstance(result, PreExecutionError):
                    raise Refused(result.errors or [])
                await stream.hand(encoding.answer(result.data, result.errors, result.extensions))

    async def _open(self, question: Question, document: DocumentNode, caller: Caller) -> tuple[Opened, Render]:
        """The subscription's beginning, fixed, and how its events are told to that audience."""
        handed: list[Opened] = []
        context = Context(self._services, caller, opened=handed.append)

        def build(root: object) -> Executor[object] | list[GraphQLError]:
            return StrawberryGraphQLCoreExecutionContext.build(
                self._schema._schema,  # noqa: SLF001
                document,
                root_value=root,
                context_value=context,
                raw_variable_values=question.variables,
                operation_name=question.name,
            )

        executor = build(None)
        if isinstance(executor, list):
            raise Refused([told(error) for error in executor])
        source = create_source_event_stream(executor)
        if inspect.isawaitable(source):
            source = await source
        if isinstance(source, ExecutionResult):
            raise Refused([told(error) for error in source.errors or []])
        async for _ in source:
            raise AssertionError("a shared field hands over its beginning and yields nothing")
        [opened] = handed
        return opened, _rendering(build, opened)


def _rendering(build: Callable[[object], Executor[object] | list[GraphQLError]], opened: Opened) -> Render:
    async def render(event: Event) -> bytes | None:
        root = await opened.tell(event)
        if root is None:
            return None
        # Built anew each time: graphql-core 3.3's `build_per_event_executor` shares a cache of field lists among all
        # events, which is never emptied and grows by some kilobytes with each.
        executor = build(root)
        if isinstance(executor, list):
            return encoding.answer(None, [told(error) for error in executor])
        result = execute_subscription_event(executor)
        if inspect.isawaitable(result):
            result = await result
        return encoding.answer(result.data, [told(error) for error in result.errors or []])

    return render


def told_of(error: Exception) -> GraphQLError:
    """An exception outside any field, as a caller may see it."""
    return told(GraphQLError(str(error), original_error=error))


def _is_shareable(operation: OperationDefinitionNode) -> bool:
    """One field, written out at the top: what is hidden in fragments there is not looked for."""
    selections = operation.selection_set.selections
    return len(selections) == 1 and isinstance(selections[0], FieldNode) and selections[0].name.value in SHARED


def _shape(question: Question, document: DocumentNode, operation: OperationDefinitionNode, caller: Caller) -> Shape:
    cursor = _cursor_variable(document, operation)
    relevant = {name: value for name, value in (question.variables or {}).items() if name != cursor}
    return Shape(
        question.text,
        question.name,
        orjson.dumps(relevant, option=orjson.OPT_SORT_KEYS),
        audience(caller),
    )


def _cursor_variable(document: DocumentNode, operation: OperationDefinitionNode) -> str | None:
    """The variable that only says where to begin: it tells no two subscriptions apart."""
    field = cast(FieldNode, operation.selection_set.selections[0])
    given = next((each.value for each in field.arguments or () if each.name.value == _CURSOR), None)
    if not isinstance(given, VariableNode):
        return None
    name = given.name.value
    uses = _Uses(name)
    visit(document, uses)
    return name if uses.count == 2 else None  # its definition, and this


class _Uses(Visitor):
    """Counts a variable."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.count = 0

    def enter_variable(self, node: VariableNode, *_: object) -> None:
        """Where it stands."""
        self.count += node.name.value == self._name
