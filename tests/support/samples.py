"""Any operation of the schema in its simplest form: every required argument gets a value that means nothing here.

So whoever may use an operation is told that a thing is not there, or that a value will not do; and whoever may not is
told that, which comes first.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from uuid import uuid4

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
)

from domain.history import cursor_of
from domain.ids import Kind
from domain.json import Json
from schema.build import printed

Document: TypeAlias = tuple[str, dict[str, Json]]
#: Whether an optional part is given.
Choice: TypeAlias = Callable[[str], bool]

SCHEMA: GraphQLSchema = build_schema(printed())
KINDS = {"agent": "agt", "connection": "con", "grant": "grt", "session": "ses", "execution": "exe"}
#: Which kind of thing a mutation's `id` is, by the mutation's name: the longest word comes first.
_OF_MUTATIONS = [
    *((kind.name.title().replace("_", ""), kind) for kind in sorted(Kind, key=lambda each: -len(each.name))),
    ("Delivery", Kind.WEBHOOK_DELIVERY),
    ("disconnect", Kind.CONNECTION),
]
_TEXTS = {"slug": "github", "integration": "github", "action": "github.create_issue", "name": "sample"}
#: Too much of it, and the same for everybody.
_LEFT_OUT = ("edges", "integration", "action")
_NEVER = cursor_of(10**12)


def operations() -> list[tuple[str, str]]:
    """Each operation with its kind: `query`, `mutation` or `subscription`."""
    return [(kind, name) for kind, root in _roots().items() for name in root.fields]


def _roots() -> dict[str, GraphQLObjectType]:
    roots = {"query": SCHEMA.query_type, "mutation": SCHEMA.mutation_type, "subscription": SCHEMA.subscription_type}
    return {kind: root for kind, root in roots.items() if root is not None}


def document(kind: str, name: str, ids: Mapping[str, str] | None = None, *, more: Choice | None = None) -> Document:
    """A document that asks for this operation alone, and its variables.

    `ids` are used where an id or, as `cursor`, a cursor is wanted. `more` says which optional parts are given as well:
    it hears `argument` or `Input.member`.
    """
    field = _field(kind, name)
    maker = _Maker(name, ids or {}, more or (lambda _: False))
    values = {key: maker.argument(key, given) for key, given in field.args.items() if maker.wants(kind, key, given)}
    declared = ", ".join(f"${key}: {field.args[key].type}" for key in values)
    passed = ", ".join(f"{key}: ${key}" for key in values)
    head = f"{kind} ({declared})" if values else kind
    call = f"{name}({passed})" if values else name
    return f"{head} {{ {call} {_selection(field.type)} }}", values


def _field(kind: str, name: str) -> GraphQLField:
    root = {"query": SCHEMA.query_type, "mutation": SCHEMA.mutation_type, "subscription": SCHEMA.subscription_type}[
        kind
    ]
    assert root is not None
    found: GraphQLField = root.fields[name]
    return found


@dataclass(frozen=True)
class _Maker:
    """Makes the values of one document."""

    name: str
    ids: Mapping[str, str]
    more: Choice

    def wants(self, kind: str, key: str, given: GraphQLArgument) -> bool:
        """What is required; and for a subscription a cursor that nothing has reached: it is never just silent."""
        is_needed = isinstance(given.type, GraphQLNonNull) and not _has_default(given)
        return is_needed or (kind == "subscription" and key == "after") or self.more(key)

    def argument(self, key: str, given: GraphQLArgument) -> Json:
        return self.value(key, given.type)

    def value(self, key: str, kind: GraphQLInputType) -> Json:
        if isinstance(kind, GraphQLNonNull):
            return self.value(key, kind.of_type)
        if isinstance(kind, GraphQLList):
            return [self.value(key, kind.of_type)]
        if isinstance(kind, GraphQLEnumType):
            return str(next(iter(kind.values)))
        if isinstance(kind, GraphQLInputObjectType):
            return {
                each: self.value(each, field.type)
                for each, field in kind.fields.items()
                if (isinstance(field.type, GraphQLNonNull) and not _has_default(field))
                or self.more(f"{kind.name}.{each}")
            }
        return self._scalar(key, kind)

    def _scalar(self, key: str, kind: GraphQLNamedType) -> Json:
        match kind.name:
            case "ID":
                of = KINDS.get(key) or next((found for word, found in _OF_MUTATIONS if word in self.name), "con")
                return self.ids.get("any", self.ids.get(of, f"{of}_{uuid4().hex}"))
            case "Int":
                return 1
            case "Float":
                return 1.0
            case "Boolean":
                return False
            case "DateTime":
                return "2026-01-01T00:00:00Z"
            case "JSON":
                return {}
        return self.ids.get("cursor", _NEVER) if key == "after" else _TEXTS.get(key, "sample")


def _has_default(part: GraphQLArgument | GraphQLInputField) -> bool:
    return part.ast_node is not None and part.ast_node.default_value is not None


def _selection(kind: object, depth: int = 3) -> str:
    """Of a payload its errors; of anything else all that needs no argument, some levels deep."""
    while isinstance(kind, GraphQLNonNull | GraphQLList):
        kind = kind.of_type
    if isinstance(kind, GraphQLInterfaceType | GraphQLUnionType):
        return "{ __typename }"
    if not isinstance(kind, GraphQLObjectType):
        return ""
    if "errors" in kind.fields:
        return "{ errors { __typename code message path } }"
    parts = [
        f"{name} {_selection(field.type, depth - 1)}"
        for name, field in kind.fields.items()
        if depth > 0 and not field.args and name not in _LEFT_OUT
    ]
    return f"{{ __typename {' '.join(parts)} }}"
