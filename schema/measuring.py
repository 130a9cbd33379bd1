"""How much a parsed document asks for, in one pass.

Every definition is looked at once, however often fragments spread each other: the work grows with the document's
length and nothing else. Runs before validation, so it takes any document: unknown fields and types count as plain
fields, and a fragment that spreads itself counts as nothing where it does (validation refuses it).

**Cost** is how many fields an answer may hold. A field counts 1. What lies under a page (`nodes`, `edges`) counts as
often as the page's `first` says (50 when it says nothing). What lies under any other list of objects counts 10 times.
Introspection is counted apart: its lists are as long as this schema's are on average, and every second type wraps
another.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from math import ceil
from typing import cast

from graphql import (
    DirectiveNode,
    DocumentNode,
    ExecutableDefinitionNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLCompositeType,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_introspection_query,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
    parse,
)

from domain.pages import LARGEST_PAGE, USUAL_PAGE
from schema.limits import CEILING, page_count

PLAIN_LIST = 10
_PAGED = frozenset({"nodes", "edges"})
_INTROSPECTION = frozenset({"__schema", "__type"})
_WRAPPED = "ofType"


@dataclass(frozen=True, slots=True)
class Size:
    """What selections come to, fragments included. `per_element` is cost that a page above multiplies."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    cost: int = 0
    per_element: int = 0
    introspection_depth: int = 0
    introspection_cost: int = 0

    def beside(self, other: "Size") -> "Size":
        """Both, in one selection set."""
        return Size(
            max(self.depth, other.depth),
            min(self.fields + other.fields, CEILING),
            min(self.aliases + other.aliases, CEILING),
            min(self.cost + other.cost, CEILING),
            min(self.per_element + other.per_element, CEILING),
            max(self.introspection_depth, other.introspection_depth),
            min(self.introspection_cost + other.introspection_cost, CEILING),
        )


NOTHING = Size()


class Measuring:
    """One document. Sizes of fragments are kept, so ask for as many of its operations as you like.

    `sizes`: what the variables that say how long pages are stand for. After measuring, `sized_by` names them all,
    `directives` and `value_depth` are the most found in one place, and `visited` tells how much was looked at.
    """

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, sizes: Mapping[str, int] | None = None) -> None:
        self._schema = schema
        self._given = sizes or {}
        self._fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }
        self._sizes: dict[str, Size] = {}
        self.sized_by: set[str] = set()
        self.directives = 0
        self.value_depth = 0
        self.visited = 0

    def operation(self, operation: OperationDefinitionNode) -> Size:
        """All that the operation selects."""
        self._directives(operation)
        self._settle(operation.selection_set)
        return self._selections(operation.selection_set, self._schema.get_root_type(operation.operation))

    def _settle(self, root: SelectionSetNode) -> None:
        """Measure what `root` spreads, inner fragments first: chains of fragments cost no stack."""
        path: list[tuple[FragmentDefinitionNode | None, Iterator[str]]] = [(None, self._spreads(root))]
        entered: set[str] = set()
        while path:
            fragment, names = path[-1]
            following = next((name for name in names if self._is_unknown(name) and name not in entered), None)
            if following is not None:
                entered.add(following)
                inner = self._fragments[following]
                path.append((inner, self._spreads(inner.selection_set)))
                continue
            path.pop()
            if fragment is not None:
                self._directives(fragment)
                on = self._composite(fragment.type_condition.name.value)
                self._sizes[fragment.name.value] = self._selections(fragment.selection_set, on)

    def _is_unknown(self, name: str) -> bool:
        return name in self._fragments and name not in self._sizes

    def _spreads(self, root: SelectionSetNode) -> Iterator[str]:
        stack = [root]
        while stack:
            for selection in stack.pop().selections:
                self.visited += 1
                if isinstance(selection, FragmentSpreadNode):
                    yield selection.name.value
                elif inner := _inner(selection):
                    stack.append(inner)

    def _selections(self, selections: SelectionSetNode, on: GraphQLCompositeType | None) -> Size:
        size = NOTHING
        for selection in selections.selections:
            size = size.beside(self._selection(selection, on))
        return size

    def _selection(self, selection: SelectionNode, on: GraphQLCompositeType | None) -> Size:
        self.visited += 1
        self._directives(selection)
        if isinstance(selection, FieldNode):
            self._arguments(selection)
            return self._field(selection, on)
        if isinstance(selection, InlineFragmentNode):
            condition = selection.type_condition
            return self._selections(selection.selection_set, self._composite(condition.name.value) if condition else on)
        return self._sizes.get(cast(FragmentSpreadNode, selection).name.value, NOTHING)

    def _directives(self, holder: ExecutableDefinitionNode | SelectionNode) -> None:
        directives = holder.directives or ()
        self.directives = max(self.directives, len(directives))
        for directive in directives:
            self._arguments(directive)

    def _arguments(self, holder: FieldNode | DirectiveNode) -> None:
        for argument in holder.arguments or ():
            self.value_depth = max(self.value_depth, _literal_depth(argument.value))

    def _field(self, field: FieldNode, on: GraphQLCompositeType | None) -> Size:
        name = field.name.value
        defined = self._schema.get_field(on, name) if on else None
        returned = get_named_type(defined.type) if defined else None
        below = NOTHING
        if field.selection_set:
            below = self._selections(field.selection_set, returned if is_composite_type(returned) else None)
        own = Size(depth=below.depth + 1, fields=1, aliases=min(below.aliases + bool(field.alias), CEILING))
        if name in _INTROSPECTION:
            deep = below.depth + 1
            return replace(own, depth=1, cost=1, introspection_depth=deep, introspection_cost=below.cost + 1)
        own = replace(own, introspection_depth=below.introspection_depth, introspection_cost=below.introspection_cost)
        return self._counted(own, below, field, on, defined)

    def _counted(
        self, own: Size, below: Size, field: FieldNode, on: GraphQLCompositeType | None, defined: GraphQLField | None
    ) -> Size:
        """`own` with its cost."""
        is_list = defined is not None and is_list_type(get_nullable_type(defined.type))
        page = self._page(field, defined)
        if not is_list:
            elements = (USUAL_PAGE if page is None else page) * below.per_element
            inner = (below.cost + 1) // 2 if field.name.value == _WRAPPED else below.cost
            return replace(own, cost=min(1 + inner + elements, CEILING))
        inner = below.cost + below.per_element
        if page is None and field.name.value in _PAGED:
            return replace(own, cost=1, per_element=inner)
        if page is None:
            page = _introspected_lists(self._schema).get((on.name if on else "", field.name.value), PLAIN_LIST)
        return replace(own, cost=min(1 + page * inner, CEILING))

    def _page(self, field: FieldNode, defined: GraphQLField | None) -> int | None:
        """How many elements the page asks for; None for what is no page."""
        argument = defined.args.get("first") if defined else None
        if argument is None:
            return None
        given = next((each.value for each in field.arguments or () if each.name.value == "first"), None)
        if isinstance(given, VariableNode):
            self.sized_by.add(given.name.value)
            return self._given.get(given.name.value, page_count(argument.default_value, USUAL_PAGE))
        if given is None:
            return page_count(argument.default_value, USUAL_PAGE)
        return literal_page(given)

    def _composite(self, name: str) -> GraphQLCompositeType | None:
        found = self._schema.get_type(name)
        return found if is_composite_type(found) else None


def literal_page(value: ValueNode) -> int:
    """How many elements a `first` written out stands for."""
    if isinstance(value, IntValueNode):
        return page_count(int(value.value), USUAL_PAGE) if len(value.value) < 10 else LARGEST_PAGE
    return USUAL_PAGE


@cache
def standard_introspection(schema: GraphQLSchema) -> Size:
    """What the introspection query of GraphiQL and other tools comes to, with all its options."""
    document = parse(
        get_introspection_query(
            specified_by_url=True,
            directive_is_repeatable=True,
            schema_description=True,
            input_value_deprecation=True,
        )
    )
    [operation] = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    return Measuring(schema, document).operation(operation)


@cache
def _introspected_lists(schema: GraphQLSchema) -> Mapping[tuple[str, str], int]:
    """How long the lists of introspection are in this schema: rounded up, on average."""
    types = list(schema.type_map.values())
    outputs = [each for each in types if isinstance(each, GraphQLObjectType | GraphQLInterfaceType)]
    fields = [field for each in outputs for field in each.fields.values()]

    def average(total: int, of: int) -> int:
        return max(1, ceil(total / max(of, 1)))

    return {
        ("__Schema", "types"): len(types),
        ("__Schema", "directives"): len(schema.directives),
        ("__Type", "fields"): average(len(fields), len(types)),
        ("__Type", "inputFields"): average(
            sum(len(each.fields) for each in types if isinstance(each, GraphQLInputObjectType)), len(types)
        ),
        ("__Type", "enumValues"): average(
            sum(len(each.values) for each in types if isinstance(each, GraphQLEnumType)), len(types)
        ),
        ("__Type", "interfaces"): average(sum(len(each.interfaces) for each in outputs), len(types)),
        ("__Type", "possibleTypes"): average(sum(len(each.interfaces) for each in outputs), len(types)),
        ("__Field", "args"): average(sum(len(field.args) for field in fields), len(fields)),
        ("__Directive", "args"): average(sum(len(each.args) for each in schema.directives), len(schema.directives)),
    }


def _literal_depth(value: ValueNode) -> int:
    """How deep a literal nests: 0 for a scalar."""
    depth = 0
    level = [value]
    while level := [each for each in level if isinstance(each, ListValueNode | ObjectValueNode)]:
        depth += 1
        level = [inner for each in level for inner in _parts(each)]
    return depth


def _parts(value: ListValueNode | ObjectValueNode) -> Iterator[ValueNode]:
    if isinstance(value, ListValueNode):
        yield from value.values
    else:
        yield from (field.value for field in value.fields)


def _inner(selection: SelectionNode) -> SelectionSetNode | None:
    return selection.selection_set if isinstance(selection, FieldNode | InlineFragmentNode) else None
