"""Answers that depend on nothing but the catalogue and the caller's roles: computed once, kept encoded.

A field belongs here when it is the same for every tenant, person and moment of one process: it reads the catalogue,
which is loaded once at the start, or the deployment's settings. Whoever may use an operation is decided by roles
alone, so an answer is kept for a set of roles. Fields are listed by name and nothing is inferred: one that is not
listed, a new one for instance, makes its answer be computed each time. `isEnabled` is a tenant's switch,
`viewerCanExecute` is about its grants, `authConfig` may be the tenant's own: none of them is listed.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLCompositeType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_named_type,
    is_composite_type,
)

_LIST = frozenset({"totalCount", "nodes", "edges", "pageInfo"})
_EDGE = frozenset({"cursor", "node"})

#: By type: the fields that are the same for everybody.
CATALOGUE_ONLY: Final = {
    "Query": frozenset({"integrations", "integration", "action", "__schema", "__type"}),
    "IntegrationConnection": _LIST,
    "IntegrationEdge": _EDGE,
    "ActionConnection": _LIST,
    "ActionEdge": _EDGE,
    "PageInfo": frozenset({"hasNextPage", "hasPreviousPage", "startCursor", "endCursor"}),
    "Integration": frozenset(
        {
            "id",
            "slug",
            "name",
            "description",
            "category",
            "tier",
            "authSchemes",
            "documentationUrl",
            "isSandbox",
            "credentialSchema",
            "callbackUrl",
            "actions",
        }
    ),
    "Action": frozenset(
        {
            "id",
            "slug",
            "title",
            "description",
            "effect",
            "isIdempotent",
            "requiredScopes",
            "integration",
            "parametersSchema",
            "resultSchema",
            "digest",
        }
    ),
}
#: Arguments that ask about the tenant after all.
ABOUT_THE_TENANT: Final = frozenset({("Query", "integrations", "isConnected")})

MOST_BYTES: Final = 32 * 1_048_576
LARGEST_KEY_BYTES: Final = 8_192


def is_catalogue_only(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> bool:
    """Whether everything that a valid operation selects is listed."""
    root = schema.query_type
    if operation.operation is not OperationType.QUERY or root is None:
        return False
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    seen: set[str] = set()
    waiting: list[tuple[SelectionSetNode, GraphQLCompositeType]] = [(operation.selection_set, root)]
    while waiting:
        selections, on = waiting.pop()
        for each in selections.selections:
            if isinstance(each, FieldNode):
                if not _is_listed(each, on):
                    return False
                field = schema.get_field(on, each.name.value)
                below = get_named_type(field.type) if field else None
                if each.selection_set and is_composite_type(below):
                    waiting.append((each.selection_set, below))
            elif isinstance(each, InlineFragmentNode):
                waiting.append((each.selection_set, _condition(schema, each, on)))
            elif isinstance(each, FragmentSpreadNode) and each.name.value not in seen:
                seen.add(each.name.value)
                fragment = fragments[each.name.value]
                waiting.append((fragment.selection_set, _condition(schema, fragment, on)))
    return True


def _is_listed(field: FieldNode, on: GraphQLCompositeType) -> bool:
    name = field.name.value
    if name == "__typename" or on.name.startswith("__"):
        return True
    if any((on.name, name, each.name.value) in ABOUT_THE_TENANT for each in field.arguments or ()):
        return False
    return name in CATALOGUE_ONLY.get(on.name, frozenset())


def _condition(
    schema: GraphQLSchema, fragment: InlineFragmentNode | FragmentDefinitionNode, on: GraphQLCompositeType
) -> GraphQLCompositeType:
    condition = fragment.type_condition
    named = schema.get_type(condition.name.value) if condition else None
    return named if is_composite_type(named) else on


class KeptAnswers:
    """The answers asked for last, bounded by their size. One of these serves one catalogue, for its whole life."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._size = 0

    def get(self, key: Hashable) -> bytes | None:
        """The answer, if it is kept."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def keep(self, key: Hashable, answer: bytes) -> None:
        """Keep it, and let go of those not asked for in the longest time."""
        if len(answer) > self._most // 4:
            return
        if key in self._kept:
            self._size -= len(self._kept.pop(key)) + LARGEST_KEY_BYTES
        self._kept[key] = answer
        self._size += len(answer) + LARGEST_KEY_BYTES
        while self._size > self._most:
            _, oldest = self._kept.popitem(last=False)
            self._size -= len(oldest) + LARGEST_KEY_BYTES
