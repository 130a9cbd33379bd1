"""The schema, put together once."""

from collections.abc import Callable
from functools import cache
from operator import attrgetter

import strawberry
from graphql import GraphQLError, GraphQLObjectType
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.name_converter import NameConverter
from strawberry.types import ExecutionContext
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from schema import errors
from schema.documents import Documents, KnownDocuments
from schema.faults import Faults
from schema.mutation import Mutation
from schema.query import Query
from schema.reading import plan_inputs
from schema.scalars import JSON, json_scalar
from schema.subscription import Subscription


class LimitedSchema(strawberry.Schema):
    """Strawberry's, with the documents it knows.

    It leaves logging to `Faults`: an exception's own words may hold what nobody should read.
    """

    documents: KnownDocuments

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:  # noqa: ARG002
        """Errors of execution have passed `Faults`; those of parsing come here first and are the caller's own."""
        for error in errors:
            error.extensions = error.extensions or {"code": "BAD_REQUEST"}


class _Names(NameConverter):
    """Strawberry's, remembered: it makes the name of every argument anew for every request, a twentieth of its time."""

    def __init__(self) -> None:
        super().__init__()
        self.apply_naming_config = cache(super().apply_naming_config)  # type: ignore[method-assign]  # the same, kept


@cache
def schema() -> LimitedSchema:
    """Documents are held to the limits and kept; every error is told or masked by `Faults`."""
    known = KnownDocuments()
    made = LimitedSchema(
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
    made.documents = known
    definitions = [each.definition for each in made.schema_converter.type_map.values()]
    plan_inputs([each for each in definitions if isinstance(each, StrawberryObjectDefinition)], made.config)
    _read_plainly(made)
    return made


def _read_plainly(made: strawberry.Schema) -> None:
    """Fields without a resolver are read as attributes. Strawberry's way to the same end takes four calls for each."""
    for each in made._schema.type_map.values():  # noqa: SLF001  # its only handle
        if isinstance(each, GraphQLObjectType):
            for field in each.fields.values():
                definition = field.extensions.get("strawberry-definition")
                if isinstance(definition, StrawberryField) and getattr(field.resolve, "_is_default", False):
                    field.resolve = _reading(definition.python_name)


def _reading(name: str) -> Callable[[object, object], object]:
    read = attrgetter(name)
    return lambda source, info: read(source)  # noqa: ARG005  # graphql-core's signature


def printed() -> str:
    """The schema as SDL, as committed in `schema.graphql`."""
    return schema().as_str() + "\n"
