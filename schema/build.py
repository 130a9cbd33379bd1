"""The schema, put together once."""

from collections.abc import Iterable
from functools import cache

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.name_converter import NameConverter
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.graphql import OperationType

from schema import errors
from schema.documents import Documents, KnownDocuments
from schema.faults import Faults
from schema.mutation import Mutation
from schema.query import Query
from schema.scalars import JSON, json_scalar
from schema.subscription import Subscription


class _Schema(strawberry.Schema):
    """Strawberry's, but it leaves logging to `Faults`: an exception's own words may hold what nobody should read."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:  # noqa: ARG002
        """Errors of execution have passed `Faults`; those of parsing come here first and are the caller's own."""
        for error in errors:
            error.extensions = error.extensions or {"code": "BAD_REQUEST"}

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, object] | None = None,
        context_value: object = None,
        root_value: object = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, object] | None = None,
    ) -> ExecutionResult:
        """One answer. What is followed has many: it is refused here rather than begun and lost."""
        allowed = set(allowed_operation_types or OperationType) - {OperationType.SUBSCRIPTION}
        return await super().execute(
            query, variable_values, context_value, root_value, operation_name, allowed, operation_extensions
        )


class _Names(NameConverter):
    """Strawberry's, remembered: it makes the name of every argument anew for every request, a twentieth of its time."""

    def __init__(self) -> None:
        super().__init__()
        self.apply_naming_config = cache(super().apply_naming_config)  # type: ignore[method-assign]  # the same, kept


@cache
def schema() -> strawberry.Schema:
    """Documents are held to the limits and kept; every error is told or masked by `Faults`."""
    known = KnownDocuments()
    return _Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=errors.KINDS,
        extensions=[
            lambda: Documents(known),
            Faults,
        ],
        config=StrawberryConfig(name_converter=_Names(), scalar_map={JSON: json_scalar}),
    )


def printed() -> str:
    """The schema as SDL, as committed in `schema.graphql`."""
    return schema().as_str() + "\n"
