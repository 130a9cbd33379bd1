"""What one request may ask for, and how a request that asks for more is told so.

The figures are part of what callers are promised; `docs/graphql.md` lists them in callers' words.
Source: OWASP, GraphQL Cheat Sheet, "Query Limiting (Depth & Amount)".
"""

from dataclasses import dataclass

from graphql import GraphQLError, Node

from domain.pages import LARGEST_PAGE

#: What is found is told up to here: nested fragments can stand for numbers too long to write.
CEILING = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Limit:
    """`says` takes `found` and `allowed`, and ends with what to do."""

    name: str
    allowed: int
    says: str

    def exceeded(self, found: int, node: Node | None = None) -> GraphQLError:
        """The refusal."""
        found = min(found, CEILING)
        return GraphQLError(
            self.says.format(found=f"{found:,}", allowed=f"{self.allowed:,}"),
            nodes=node,
            extensions={"code": "LIMIT_EXCEEDED", "limit": self.name, "allowed": self.allowed, "found": found},
        )


CHARACTERS = Limit(
    "characters",
    65_536,
    "The document has {found} characters; at most {allowed} are allowed. Send long values as variables.",
)
TOKENS = Limit(
    "tokens",
    2_000,
    "The document has more than {allowed} tokens. Split it into several requests, and send values as variables.",
)
OPERATIONS = Limit(
    "operations",
    20,
    "The document holds {found} operations; at most {allowed} are allowed. Send the one you mean.",
)
FRAGMENTS = Limit(
    "fragments",
    50,
    "The document holds {found} fragments; at most {allowed} are allowed. Send only those the operation needs.",
)
DEPTH = Limit(
    "depth",
    12,
    "Fields nest {found} levels deep; at most {allowed} are allowed. "
    "Fetch the inner things with a query of their own, by `node(id:)`.",
)
ALIASES = Limit(
    "aliases",
    30,
    "An operation uses {found} aliases, fragments included; at most {allowed} are allowed. Send several requests.",
)
ROOT_FIELDS = Limit(
    "rootFields",
    20,
    "An operation has {found} root fields; at most {allowed} are allowed. Send several requests.",
)
DIRECTIVES = Limit(
    "directives",
    5,
    "One place carries {found} directives; at most {allowed} are allowed. Leave out the repeated ones.",
)
VALUE_DEPTH = Limit(
    "valueDepth",
    32,
    "A value nests {found} levels deep; at most {allowed} are allowed. Flatten it, or send the inner part as text.",
)
COST = Limit(
    "cost",
    10_000,
    "The operation may select {found} fields, a page counted by its `first`; at most {allowed} are allowed. "
    "Ask for fewer fields, or for smaller pages.",
)
INTROSPECTION_DEPTH = Limit(
    "introspectionDepth",
    16,
    "Introspection nests {found} levels deep; at most {allowed} are allowed. Use the standard introspection query.",
)
VALIDATION = Limit(
    "validation",
    4_000,
    "The same fields are selected again and again: checking that they agree takes more than {allowed} comparisons. "
    "Select each field once.",
)


def introspection_cost(allowed: int) -> Limit:
    """`allowed` grows with the schema: it is twice what the standard introspection query takes."""
    return Limit(
        "introspectionCost",
        allowed,
        "Introspection may select {found} fields; at most {allowed} are allowed. Use the standard introspection query.",
    )


def page_count(asked: object, usual: int) -> int:
    """How many elements `first` stands for. What no page may have is refused elsewhere, in its own words."""
    if isinstance(asked, bool) or not isinstance(asked, int):
        return usual
    return min(max(asked, 0), LARGEST_PAGE)


def value_depth(value: object) -> int:
    """How deep a JSON value nests: 0 for a scalar. One level at a time, so depth costs no stack."""
    depth = 0
    level = [value] if isinstance(value, dict | list) else []
    while level:
        depth += 1
        level = [
            inner
            for each in level
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, dict | list)
        ]
    return depth
