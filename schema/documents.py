"""Every document is parsed, measured against the limits, and validated: in this order, once, and kept.

Parsing is bounded by characters and tokens, measuring by the document's length, validation by a number of
comparisons. So a hostile document is refused cheaply, whichever door it came through, before anything is asked of
the rest of the gateway. For a kept document only what variables change is looked at again.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    NameNode,
    OperationDefinitionNode,
    OperationType,
    OverlappingFieldsCanBeMergedRule,
    SelectionSetNode,
    ValidationContext,
    parse,
    specified_rules,
)
from strawberry.extensions import SchemaExtension
from strawberry.schema.schema import validate_document

from domain.pages import USUAL_PAGE
from schema import limits
from schema.limits import Limit, page_count, value_depth
from schema.measuring import Measuring, literal_page, standard_introspection

KEPT_WEIGHT = 200_000
_KEPT_COSTS = 16
_TOO_MANY_TOKENS = "Document contains more than"
_ABORTED = "Validation aborted."


class _BoundedOverlap(OverlappingFieldsCanBeMergedRule):
    """Compares what is selected twice, pair by pair: quadratic, unless it stops."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self.rule_context.remaining_complexity_budget = limits.VALIDATION.allowed


RULES = tuple(_BoundedOverlap if rule is OverlappingFieldsCanBeMergedRule else rule for rule in specified_rules)


@dataclass
class Known:
    """What is known of one text: the document, or why it is refused.

    `costs` depend on variables; `lasting` tells by operation whether its answers may be kept (`schema.kept`).
    """

    document: DocumentNode | None
    errors: list[GraphQLError]
    sized_by: tuple[str, ...] = ()
    costs: dict[tuple[object, ...], int] = field(default_factory=dict)
    lasting: dict[str | None, bool] = field(default_factory=dict)


class KnownDocuments:
    """The documents seen last, for one schema: bounded by their weight, so no caller can fill the memory with them."""

    def __init__(self, heaviest: int = KEPT_WEIGHT) -> None:
        self._heaviest = heaviest
        self._kept: OrderedDict[str, Known] = OrderedDict()
        self._weight = 0
        self.looked_at = 0

    def of(self, schema: GraphQLSchema, text: object) -> Known:
        """What is known of the text; never raises."""
        if not isinstance(text, str):
            return Known(None, [GraphQLError("`query` is a text: the GraphQL document.")])
        if len(text) > limits.CHARACTERS.allowed:
            return Known(None, [limits.CHARACTERS.exceeded(len(text))])
        known = self._kept.get(text)
        if known is not None:
            self._kept.move_to_end(text)
            return known
        known = self._study(schema, text)
        self._keep(text, known)
        return known

    def cost(self, schema: GraphQLSchema, known: Known, name: str | None, variables: Mapping[str, object]) -> int:
        """What the operation may cost with these variables; counted once for each set of page sizes."""
        operation = _chosen(known.document, name)
        if known.document is None or operation is None:
            return 0
        sizes = _sizes(operation, known.sized_by, variables)
        key = (name, *sizes.items())
        cost = known.costs.get(key)
        if cost is None:
            measuring = Measuring(schema, known.document, sizes)
            cost = measuring.operation(operation).cost
            self.looked_at += measuring.visited
            if len(known.costs) >= _KEPT_COSTS:
                known.costs.clear()
            known.costs[key] = cost
        return cost

    def refusals(self, schema: GraphQLSchema, known: Known, name: str | None, variables: object) -> list[GraphQLError]:
        """Why this operation of the document is not run with these variables; empty when it may be."""
        if known.document is None:
            return known.errors
        variables = variables or {}
        if not isinstance(variables, dict):
            return [GraphQLError("`variables` is an object: a value for each variable, by name.")]
        if problem := _unclear(known.document, name):
            return [GraphQLError(problem)]
        depth = value_depth(variables) - 1
        if depth > limits.VALUE_DEPTH.allowed:
            return [limits.VALUE_DEPTH.exceeded(depth)]
        cost = self.cost(schema, known, name, variables)
        return [limits.COST.exceeded(cost)] if cost > limits.COST.allowed else []

    def _keep(self, text: str, known: Known) -> None:
        self._kept[text] = known
        self._weight += weight(text, known)
        while self._weight > self._heaviest:
            oldest = self._kept.popitem(last=False)
            self._weight -= weight(*oldest)

    def _study(self, schema: GraphQLSchema, text: str) -> Known:
        try:
            document = parse(text, max_tokens=limits.TOKENS.allowed)
        except GraphQLSyntaxError as error:
            if error.message.removeprefix("Syntax Error: ").startswith(_TOO_MANY_TOKENS):
                return Known(None, [limits.TOKENS.exceeded(limits.TOKENS.allowed + 1)])
            return Known(None, [_words(error)])
        if errors := _counted(document):
            return Known(None, errors)
        measuring = Measuring(schema, document)
        errors = _measured(schema, document, measuring)
        self.looked_at += measuring.visited
        if errors := errors or _validated(schema, document):
            return Known(None, [_words(error) for error in errors])
        return Known(document, [], tuple(sorted(measuring.sized_by)))


class Documents(SchemaExtension):
    """Stands in for Strawberry's parser and validation caches and its limiters."""

    def __init__(self, documents: KnownDocuments) -> None:
        super().__init__()
        self._documents = documents
        self._known = Known(None, [])

    def on_parse(self) -> Iterator[None]:
        """A refused text becomes a stand-in, so that the refusal is told as any other: `on_validate` tells it."""
        context = self.execution_context
        self._known = self._documents.of(context.schema._schema, context.query)  # noqa: SLF001  # its only handle
        context.graphql_document = self._known.document or _stand_in(context.operation_name)
        yield

    def on_validate(self) -> Iterator[None]:
        """An empty list says: validated, nothing found."""
        context = self.execution_context
        name = context._provided_operation_name  # noqa: SLF001  # `operation_name` is the first one's when none was given
        context.pre_execution_errors = self._documents.refusals(
            context.schema._schema,  # noqa: SLF001
            self._known,
            name,
            context.variables,
        )
        yield


def _words(error: GraphQLError) -> GraphQLError:
    """The error without the parsed document that it points into: of what is refused only words are kept."""
    return GraphQLError(
        error.message, source=error.source, positions=error.positions, extensions=error.extensions or None
    )


def weight(text: str, known: Known) -> int:
    """What keeping it takes, in tokens: one is some 600 bytes when parsed (graphql-core 3.3)."""
    tokens = (known.document.token_count or 0) if known.document else 0
    return 10 + tokens + len(text) // 100


def _counted(document: DocumentNode) -> list[GraphQLError]:
    """What can be told by counting definitions."""
    kinds: list[tuple[Limit, type[Any]]] = [
        (limits.OPERATIONS, OperationDefinitionNode),
        (limits.FRAGMENTS, FragmentDefinitionNode),
    ]
    found = [(limit, sum(isinstance(each, kind) for each in document.definitions)) for limit, kind in kinds]
    return [limit.exceeded(count) for limit, count in found if count > limit.allowed]


def _measured(schema: GraphQLSchema, document: DocumentNode, measuring: Measuring) -> list[GraphQLError]:
    """Every limit that any operation of the document exceeds; cost is for the operation that runs."""
    introspection = limits.introspection_cost(2 * standard_introspection(schema).introspection_cost)
    errors = []
    for each in document.definitions:
        if not isinstance(each, OperationDefinitionNode):
            continue
        size = measuring.operation(each)
        found = [
            (limits.DEPTH, size.depth),
            (limits.ALIASES, size.aliases),
            (limits.ROOT_FIELDS, size.fields),
            (limits.INTROSPECTION_DEPTH, size.introspection_depth),
            (introspection, size.introspection_cost),
        ]
        errors += [limit.exceeded(count, each) for limit, count in found if count > limit.allowed]
    found = [(limits.DIRECTIVES, measuring.directives), (limits.VALUE_DEPTH, measuring.value_depth)]
    return errors + [limit.exceeded(count) for limit, count in found if count > limit.allowed]


def _validated(schema: GraphQLSchema, document: DocumentNode) -> list[GraphQLError]:
    errors = validate_document(schema, document, RULES)
    if any(error.message == _ABORTED for error in errors):
        return [limits.VALIDATION.exceeded(limits.VALIDATION.allowed + 1)]
    return errors


def _chosen(document: DocumentNode | None, name: str | None) -> OperationDefinitionNode | None:
    for each in document.definitions if document else ():
        if isinstance(each, OperationDefinitionNode) and name in {None, each.name.value if each.name else None}:
            return each
    return None


def _unclear(document: DocumentNode, name: str | None) -> str | None:
    """Which operation is meant (GraphQL, section 6.1, "GetOperation"), when that cannot be told."""
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    if name is None:
        several = "The document holds several operations. Name the one to run in `operationName`."
        return several if len(operations) > 1 else None
    if any(each.name is not None and each.name.value == name for each in operations):
        return None
    return "The document holds no operation of the name given in `operationName`."


def _sizes(
    operation: OperationDefinitionNode, names: tuple[str, ...], variables: Mapping[str, object]
) -> dict[str, int]:
    """What the variables that size pages stand for: as given, else by their own default, else left to the field's."""
    defaults = {each.variable.name.value: each.default_value for each in operation.variable_definitions or ()}
    sizes = {}
    for name in names:
        if name in variables:
            sizes[name] = page_count(variables[name], USUAL_PAGE)
        elif (default := defaults.get(name)) is not None:
            sizes[name] = literal_page(default)
    return sizes


def _stand_in(name: str | None) -> DocumentNode:
    """`{ __typename }`, under the name that was asked for. It is never executed."""
    selection = FieldNode(name=NameNode(value="__typename"), arguments=(), directives=())
    operation = OperationDefinitionNode(
        operation=OperationType.QUERY,
        name=NameNode(value=name) if name else None,
        variable_definitions=(),
        directives=(),
        selection_set=SelectionSetNode(selections=(selection,)),
    )
    return DocumentNode(definitions=(operation,))
