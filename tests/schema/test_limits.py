"""Hostile documents are refused after a bounded amount of looking. Work is counted in selections, never in time."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from graphql import OperationDefinitionNode, get_introspection_query, parse

from gateway import journey
from schema import limits
from schema.build import schema
from schema.documents import Known, KnownDocuments, weight
from schema.limits import Limit, value_depth
from schema.measuring import Measuring, Size
from tests.support import gateways

SCHEMA = schema()._schema
PAGE = (Path(__file__).parents[2] / "docs" / "graphql.md").read_text()


def known(text: str) -> Known:
    return KnownDocuments().of(SCHEMA, text)


def refusals(text: str) -> dict[str, int]:
    """What was found, by the limit's name; fails on any error that is not a limit's."""
    found = {}
    for error in known(text).errors:
        extensions = error.extensions or {}
        assert extensions.get("code") == "LIMIT_EXCEEDED", error.message
        assert extensions["found"] > extensions["allowed"]
        found[extensions["limit"]] = extensions["found"]
    return found


def messages(text: str) -> Sequence[str]:
    return [error.message for error in known(text).errors]


def measured(text: str) -> tuple[Size, int]:
    """The first operation, and how many selections were looked at."""
    document = parse(text)
    measuring = Measuring(SCHEMA, document)
    [operation, *_] = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    return measuring.operation(operation), measuring.visited


def cost(text: str, name: str | None = None, **variables: object) -> int:
    documents = KnownDocuments()
    found = documents.of(SCHEMA, text)
    assert found.errors == []
    return documents.cost(SCHEMA, found, name, variables)


def doubling(links: int, width: int = 2) -> str:
    """Each fragment spreads the next `width` times."""
    chain = "".join(f"fragment f{link} on Query {{ {f'...f{link + 1} ' * width} }} " for link in range(links))
    return f"{{ ...f0 }} {chain} fragment f{links} on Query {{ __typename }}"


# Fragments


@pytest.mark.parametrize("links", [10, 20, 30, 49])
def test_fragments_that_each_spread_the_next_twice_are_looked_at_once(links: int) -> None:
    size, visited = measured(doubling(links))
    assert size.cost == min(2**links, limits.CEILING)
    assert visited <= 2 * (2 * links + 2)


def test_thirty_fragments_that_each_spread_the_next_twice_are_refused() -> None:
    assert refusals(doubling(30))["rootFields"] == 2**30


def test_numbers_too_long_to_write_are_told_up_to_a_ceiling() -> None:
    assert refusals(doubling(40, width=8))["rootFields"] == limits.CEILING


def test_nested_doubling_counts_depth_and_aliases_through_fragments() -> None:
    links = "".join(
        f"fragment f{link} on Grant {{ a{link}: agent {{ grants {{ nodes {{ ...f{link + 1} ...f{link + 1} }} }} }} }} "
        for link in range(8)
    )
    text = f"{{ grants {{ nodes {{ ...f0 }} }} }} {links} fragment f8 on Grant {{ id }}"
    found = refusals(text)
    assert found["depth"] == 2 + 3 * 8 + 1
    assert found["aliases"] == sum(2**link for link in range(8))


@pytest.mark.parametrize("size", [1, 2, 3, 40])
def test_fragments_in_a_circle_are_measured_once_and_left_to_validation(size: int) -> None:
    circle = "".join(f"fragment f{link} on Query {{ ...f{(link + 1) % size} }} " for link in range(size))
    _, visited = measured(f"{{ ...f0 }} {circle}")
    assert visited <= 2 * (size + 1)
    assert any("within itself" in message for message in messages(f"{{ ...f0 }} {circle}"))


def test_fragments_that_all_spread_each_other_are_measured_once() -> None:
    names = range(20)
    text = "{ ...f0 } " + "".join(
        f"fragment f{each} on Query {{ {' '.join(f'...f{other}' for other in names)} }} " for each in names
    )
    _, visited = measured(text)
    assert visited <= 2 * (20 * 20 + 1)


def test_more_fragments_than_allowed_are_refused_unmeasured() -> None:
    documents = KnownDocuments()
    found = documents.of(SCHEMA, doubling(60))
    assert [(error.extensions or {})["limit"] for error in found.errors] == ["fragments"]
    assert documents.looked_at == 0


# Width, depth, number


def test_ten_thousand_aliases_are_refused_by_their_length_alone() -> None:
    text = "{" + " ".join(f"a{number}: __typename" for number in range(10_000)) + "}"
    assert refusals(text) == {"characters": len(text)}


def test_more_aliases_than_allowed_are_refused() -> None:
    def text(aliases: int) -> str:
        return "{ viewer {" + " ".join(f"a{number}: subject" for number in range(aliases)) + "} }"

    assert refusals(text(30)) == {}
    assert refusals(text(31)) == {"aliases": 31}


def test_wide_roots_are_refused() -> None:
    assert refusals("{" + "viewer { subject } " * 20 + "}") == {}
    assert refusals("{" + "viewer { subject } " * 21 + "}") == {"rootFields": 21}
    assert refusals("{" + "... { viewer { subject } } " * 200 + "}") == {"rootFields": 200}


def test_deep_nesting_is_refused() -> None:
    def text(levels: int) -> str:
        return "{ grants { nodes" + " { agent { grants { nodes" * levels + " { id }" + " } } }" * levels + " } }"

    assert refusals(text(3)) == {}
    assert refusals(text(4)) == {"depth": 15}


def test_brackets_in_great_number_are_a_syntax_error() -> None:
    assert any("nested too deeply" in message for message in messages("{a" * 500))
    assert refusals("{" * 100_000) == {"characters": 100_000}
    assert any("nested too deeply" in message for message in messages("{ node(id: " + "[" * 900))


def test_many_tiny_operations_are_refused() -> None:
    def text(operations: int) -> str:
        return " ".join(f"query a{number} {{ __typename }}" for number in range(operations))

    assert refusals(text(20)) == {}
    assert refusals(text(21)) == {"operations": 21}


def test_a_document_one_token_too_long_is_refused_as_a_limit() -> None:
    def text(values: int) -> str:  # fifteen tokens around
        return "{ executions(statuses: [" + "RUNNING " * values + "]) { pageInfo { hasNextPage } } }"

    assert refusals(text(1_985)) == {}
    assert refusals(text(1_986)) == {"tokens": 2_001}


def test_one_long_word_is_refused_by_its_length() -> None:
    assert set(refusals('{ node(id: "' + "\\n" * 40_000 + '") { id } }')) == {"characters"}


def test_directives_in_great_number_are_refused() -> None:
    assert refusals("{ viewer " + "@include(if: true) " * 200 + "{ subject } }") == {"directives": 200}
    assert refusals("query " + "@nothing " * 900 + "{ viewer { subject } }") == {"directives": 900}
    assert refusals("{ ...f " + "@skip(if: false) " * 9 + "} fragment f on Query { __typename }") == {"directives": 9}


def test_an_include_on_every_field_is_no_more_than_its_fields() -> None:
    assert refusals("{ viewer {" + "subject @include(if: true) " * 30 + "} }") == {}


def test_values_that_nest_deeply_are_refused() -> None:
    def text(levels: int) -> str:
        value = "{a: " * levels + "1" + "}" * levels
        return f'mutation {{ execute(input: {{action: "a", parameters: {value}}}) {{ errors {{ code }} }} }}'

    assert refusals(text(31)) == {}
    assert refusals(text(32)) == {"valueDepth": 33}


def test_the_same_fields_again_and_again_are_refused_before_all_pairs_are_compared() -> None:
    again = "actions { nodes { slug integration { slug } } } " * 100
    assert refusals("{ integrations { nodes {" + again + "} } }") == {"validation": limits.VALIDATION.allowed + 1}


def test_fields_that_two_fragments_share_are_no_offence() -> None:
    fragments = "".join(
        f"fragment f{each} on Execution {{ id status action {{ slug }} error {{ code message }} }} "
        for each in range(8)
    )
    spreads = " ".join(f"...f{each}" for each in range(8))
    assert refusals(f"{{ executions {{ nodes {{ {spreads} }} }} }} {fragments}") == {}


def test_every_limit_that_is_exceeded_is_told_with_a_remedy() -> None:
    text = "{" + " ".join(f"a{number}: viewer {{ subject }}" for number in range(40)) + "}"
    assert messages(text) == [
        "An operation uses 40 aliases, fragments included; at most 30 are allowed. Send several requests.",
        "An operation has 40 root fields; at most 20 are allowed. Send several requests.",
    ]


def test_a_document_of_nonsense_is_measured_and_then_refused_by_validation() -> None:
    text = "{ nothing { nobody(first: $x) { ...gone } ... on Nowhere { at } } } fragment f on Never { is }"
    assert refusals_or_none(text) is None


def refusals_or_none(text: str) -> dict[str, int] | None:
    errors = known(text).errors
    assert errors
    return refusals(text) if any((error.extensions or {}).get("limit") for error in errors) else None


# Cost


def test_what_lies_under_a_page_costs_as_often_as_the_page_is_long() -> None:
    assert cost("{ executions { nodes { id } } }") == 1 + 1 + 50
    assert cost("{ executions(first: 100) { nodes { id status } pageInfo { endCursor } } }") == 1 + 1 + 200 + 2
    assert cost("{ agents(first: 10) { edges { node { grants(first: 5) { nodes { id } } } } } }") == 82


def test_pages_in_pages_are_refused_when_they_may_come_to_too_much() -> None:
    text = "{ agents(first: 100) { nodes { grants(first: 100) { nodes { id } } } } }"
    assert cost(text) == 1 + 1 + 100 * (1 + 1 + 100) > limits.COST.allowed


def test_a_page_of_a_fragment_is_as_long_as_where_it_is_spread() -> None:
    fragment = " fragment f on ExecutionConnection { nodes { id } }"
    assert cost("{ executions(first: 7) { ...f } }" + fragment) == 1 + 1 + 7
    assert cost("{ a: executions(first: 7) { ...f } b: executions(first: 9) { ...f } }" + fragment) == 9 + 11


def test_variables_say_how_long_a_page_is() -> None:
    text = "query ($n: Int = 20) { executions(first: $n) { nodes { id } } }"
    assert cost(text) == 22
    assert cost(text, n=3) == 5
    assert cost(text, n=None) == 52
    assert cost("query ($n: Int) { executions(first: $n) { nodes { id } } }") == 52


@pytest.mark.parametrize("asked", [10**9, -1, "9", True, [1], 2.5])
def test_a_page_size_that_no_page_may_have_is_left_to_the_page_to_refuse(asked: object) -> None:
    assert cost("query ($n: Int) { executions(first: $n) { nodes { id } } }", n=asked) <= 102


def test_a_number_of_a_thousand_digits_is_no_trouble() -> None:
    assert known("{ executions(first: " + "9" * 5_000 + ") { nodes { id } } }").errors


def test_a_plain_list_of_objects_counts_ten_times() -> None:
    assert cost("mutation { revokeGrant(input: {id: 1}) { errors { code message } } }") == 1 + 1 + 10 * 2


def test_only_the_operation_that_runs_is_charged() -> None:
    dear = "agents(first: 100) { nodes { grants(first: 100) { nodes { id } } } }"
    assert cost(f"query cheap {{ viewer {{ subject }} }} query dear {{ {dear} }}", "cheap") == 2
    assert cost(f"query cheap {{ viewer {{ subject }} }} query dear {{ {dear} }}", "dear") > limits.COST.allowed


def test_the_example_of_the_page_costs_what_the_page_says() -> None:
    [example] = re.findall(r"```graphql\n(.*?)```", PAGE, re.DOTALL)
    shares = [int(share) for share in re.findall(r"# (\d+)$", example, re.MULTILINE)]
    assert sum(shares[:-1]) == shares[-1] == cost(example)


def test_every_limit_stands_in_the_page_with_its_figure() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", PAGE, re.MULTILINE))
    figures = {each.name: f"{each.allowed:,}" for each in vars(limits).values() if isinstance(each, Limit)}
    del rows["limit"]
    assert rows == {**figures, "introspectionCost": "twice the standard introspection query"}


# Introspection


@pytest.mark.parametrize("is_full", [True, False])
def test_the_introspection_query_of_graphiql_and_of_code_generators_passes(is_full: bool) -> None:
    text = get_introspection_query(
        descriptions=is_full,
        specified_by_url=is_full,
        directive_is_repeatable=is_full,
        schema_description=is_full,
        input_value_deprecation=is_full,
    )
    assert messages(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "{ __schema { types { fields { type" + " { fields { type" * 8 + " { name }" + " } }" * 8 + " } } } }",
        '{ __type(name: "Query") { ofType' + " { ofType" * 20 + " { name }" + " }" * 20 + " } }",
        "{"
        + " ".join(
            f"a{each}: __schema {{ types {{ fields {{ args {{ name type {{ name }} }} }} }} }}" for each in range(20)
        )
        + "}",
    ],
)
def test_introspection_that_goes_round_in_circles_or_asks_again_and_again_is_refused(text: str) -> None:
    assert set(refusals(text)) & {"introspectionDepth", "introspectionCost"}


def test_introspection_and_data_are_counted_apart() -> None:
    size, _ = measured("{ __schema { types { fields { type { name } } } } viewer { subject } }")
    assert (size.depth, size.introspection_depth, size.cost) == (2, 5, 3)
    assert size.introspection_cost > 100


# What is known is not looked at again


def test_a_known_document_is_not_looked_at_again() -> None:
    documents = KnownDocuments()
    text = "query ($n: Int) { executions(first: $n) { nodes { id } } }"
    first = documents.of(SCHEMA, text)
    documents.cost(SCHEMA, first, None, {"n": 5})
    seen = documents.looked_at
    assert documents.of(SCHEMA, text) is first
    assert documents.cost(SCHEMA, first, None, {"n": 5}) == 7
    assert documents.looked_at == seen
    assert documents.cost(SCHEMA, first, None, {"n": 6}) == 8
    assert documents.looked_at > seen


def test_documents_are_kept_by_weight_and_those_not_seen_for_longest_go_first() -> None:
    first, second, third = ("{ viewer { subject " + f"}} }} # {word}" for word in ("first", "second", "third"))
    documents = KnownDocuments(heaviest=2 * weight(second, known(second)))
    kept_first, kept_second = documents.of(SCHEMA, first), documents.of(SCHEMA, second)
    assert documents.of(SCHEMA, first) is kept_first
    documents.of(SCHEMA, third)
    assert documents.of(SCHEMA, first) is kept_first
    assert documents.of(SCHEMA, second) is not kept_second


@pytest.mark.parametrize("text", [doubling(30), "{ nothing }", "{ viewer", "{" + "viewer { subject } " * 21 + "}"])
def test_of_a_refused_document_only_words_are_kept(text: str) -> None:
    found = known(text)
    assert found.document is None
    assert found.errors
    assert [error.nodes for error in found.errors] == [None] * len(found.errors)


def test_where_an_error_lies_is_still_told() -> None:
    assert [error.locations for error in known("{\n  nothing }").errors] == [[(2, 3)]]


def test_a_long_text_weighs_more_though_it_says_no_more() -> None:
    short, long = "{ nothing }", "{ nothing } #" + "x" * 60_000
    assert weight(long, known(long)) >= weight(short, known(short)) + 600


def test_every_document_of_the_journey_and_of_the_flows_passes() -> None:
    documents = {
        f"{module.__name__}.{name}": value
        for module in (journey, gateways)
        for name, value in vars(module).items()
        if isinstance(value, str) and name.strip("_").isupper() and value.strip().startswith(("query", "mut", "sub"))
    }
    assert len(documents) >= 14
    assert {name: messages(text) for name, text in documents.items() if messages(text)} == {}
    assert max(cost(text) for text in documents.values()) < 1_000


@pytest.mark.parametrize(
    ("value", "depth"), [(1, 0), ("[[[", 0), ({}, 1), ([], 1), ({"a": [1, {"b": 2}], "c": []}, 3), (None, 0)]
)
def test_the_depth_of_a_value_is_counted_in_containers(value: object, depth: int) -> None:
    assert value_depth(value) == depth


def test_a_value_of_any_depth_is_counted_without_recursion() -> None:
    value: object = 1
    for _ in range(10_000):
        value = [value]
    assert value_depth(value) == 10_000
    while isinstance(value, list):
        value = value.pop()
