"""What is served against what was promised: `contract.graphql` is the contract of record, and this is our step to it.

Ours may have more types, fields, optional arguments and enum values. What it still lacks stands in LATER.
"""

from collections.abc import Iterator

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    is_introspection_type,
    is_specified_scalar_type,
    print_ast,
)

from schema.build import printed
from tests.house.tree import ROOT

SERVED = ROOT / "schema" / "schema.graphql"
CONTRACT = ROOT / "tests" / "house" / "contract.graphql"

#: Promised, and absent until its machinery exists (decision 0004). By what has to be built first.
LATER = {
    "connecting from another front end": """
        ConnectionStatus.PENDING
    """,
    "doors that do not exist yet": """
        ExecutionOrigin.CONSOLE ExecutionOrigin.CLI ExecutionOrigin.SCHEDULE
    """,
}

Fielded = GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType


def _served() -> GraphQLSchema:
    return build_schema(SERVED.read_text())


def _promised() -> GraphQLSchema:
    return build_schema(CONTRACT.read_text())


def _types(schema: GraphQLSchema) -> dict[str, GraphQLNamedType]:
    return {
        name: each
        for name, each in schema.type_map.items()
        if not is_introspection_type(each) and not is_specified_scalar_type(each)
    }


def _parts(name: str, promised: GraphQLNamedType, ours: GraphQLNamedType) -> Iterator[tuple[str, object, object]]:
    """Each part of a promised type beside ours, which is None where there is none."""
    if isinstance(promised, GraphQLEnumType) and isinstance(ours, GraphQLEnumType):
        for value in promised.values:
            yield f"{name}.{value}", value, ours.values.get(value) and value
    if isinstance(promised, Fielded) and isinstance(ours, Fielded):
        for key, field in promised.fields.items():
            mine = ours.fields.get(key)
            yield f"{name}.{key}", field, mine
            if isinstance(field, GraphQLField) and isinstance(mine, GraphQLField):
                for argument, promise in field.args.items():
                    yield f"{name}.{key}({argument}:)", promise, mine.args.get(argument)


def _pairs() -> Iterator[tuple[str, object, object]]:
    """Everything promised beside ours. What hangs on something missing is not looked at."""
    served = _types(_served())
    for name, promised in _types(_promised()).items():
        ours = served.get(name)
        yield name, promised, ours
        if ours is not None:
            yield from _parts(name, promised, ours)


def _shape(part: object) -> str:
    """What a client relies on: kind, type, nullability, default, interfaces."""
    match part:
        case GraphQLField():
            return str(part.type)
        case GraphQLArgument() | GraphQLInputField():
            default = part.ast_node.default_value if part.ast_node else None
            # A default of null says to a client what no default says: it may be left out.
            return f"{part.type}" + (f" = {print_ast(default)}" if default and print_ast(default) != "null" else "")
        case GraphQLObjectType() | GraphQLInterfaceType():
            return " & ".join([type(part).__name__, *sorted(each.name for each in part.interfaces)])
        case _:
            return type(part).__name__


def test_the_committed_schema_is_the_served_one() -> None:
    renew = "Renew it with `.venv/bin/mandate schema > schema/schema.graphql` and look at the difference."
    assert SERVED.read_text() == printed(), renew


def test_what_is_missing_is_exactly_what_is_said_to_come_later() -> None:
    missing = {name for name, _, ours in _pairs() if ours is None}
    later = {name for names in LATER.values() for name in names.split()}
    assert missing - later == set(), "missing without a word in LATER"
    assert later - missing == set(), "here already, or never promised: take it out of LATER"


def test_what_is_there_has_the_promised_shape() -> None:
    different = {
        name: f"promised {_shape(promised)}, served {_shape(ours)}"
        for name, promised, ours in _pairs()
        if ours is not None and _shape(promised) != _shape(ours)
    }
    assert different == {}


def test_nothing_more_is_demanded_than_was_promised() -> None:
    served, promised = _types(_served()), _types(_promised())
    demanded: list[str] = []
    for name in served.keys() & promised.keys():
        ours, theirs = served[name], promised[name]
        if not isinstance(ours, Fielded) or not isinstance(theirs, Fielded):
            continue
        if isinstance(ours, GraphQLInputObjectType):
            demanded += [
                f"{name}.{key}" for key in ours.fields.keys() - theirs.fields.keys() if _needed(ours.fields[key])
            ]
            continue
        for key in ours.fields.keys() & theirs.fields.keys():
            mine, known = ours.fields[key], theirs.fields[key]
            if isinstance(mine, GraphQLField) and isinstance(known, GraphQLField):
                new = mine.args.keys() - known.args.keys()
                demanded += [f"{name}.{key}({each}:)" for each in new if _needed(mine.args[each])]
    assert demanded == []


def _needed(part: GraphQLArgument | GraphQLInputField) -> bool:
    has_default = part.ast_node is not None and part.ast_node.default_value is not None
    return isinstance(part.type, GraphQLNonNull) and not has_default
