"""Finding actions by what people say, over the catalogue as it ships."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters._kit.catalogue import FolderCatalogue, load
from adapters._kit.http import CannedTransport, Incoming
from domain.catalogue import Effect
from resolvers.ranking import Index, read_words, stems

QUESTIONS = tomllib.loads((Path(__file__).parent / "questions.toml").read_text())


@pytest.fixture(scope="module")
def catalogue() -> FolderCatalogue:
    return load(CannedTransport(lambda _: Incoming(200, {}, b"")), {}, {})


@pytest.fixture(scope="module")
def index(catalogue: FolderCatalogue) -> Index:
    return Index(catalogue)


def shares(index: Index, questions: dict[str, list[str]]) -> tuple[float, float, list[str]]:
    """How many have a right action first, and among the first three; and those that have not."""
    ranked = {question: [match.action.slug for match in index.rank(question)[:3]] for question in questions}
    first = [question for question, found in ranked.items() if found[:1] and found[0] in questions[question]]
    three = [question for question, found in ranked.items() if set(found) & set(questions[question])]
    failing = [f"{question}: {ranked[question]}" for question in questions if question not in first]
    return len(first) / len(questions), len(three) / len(questions), failing


def test_every_expected_answer_exists(catalogue: FolderCatalogue) -> None:
    expected = {slug for questions in QUESTIONS.values() for slugs in questions.values() for slug in slugs}
    assert [slug for slug in expected if catalogue.action(slug) is None] == []


def test_questions_as_users_ask_them_find_what_is_meant(index: Index) -> None:
    assert len(QUESTIONS["tuned"]) >= 60
    first, three, failing = shares(index, QUESTIONS["tuned"])
    assert first >= 0.95, failing
    assert three >= 0.98, failing


def test_questions_that_nobody_tuned_for_find_it_among_the_first_three(index: Index) -> None:
    first, three, failing = shares(index, QUESTIONS["held_out"])
    assert first >= 0.7, failing
    assert three >= 0.9, failing


@pytest.mark.parametrize("question", ["", "   ", "the of and", "zxqv", "?!", "\0", "🚀", "x" * 5_000, "deploy " * 500])
def test_any_text_is_answered(index: Index, question: str) -> None:
    assert all(0 <= match.score <= 1 for match in index.rank(question))


@given(st.text(max_size=80))
def test_no_text_breaks_the_ranking(question: str) -> None:
    assert isinstance(stems(question), list)


def test_a_word_that_is_nowhere_finds_nothing(index: Index) -> None:
    assert index.rank("zxqvbn") == []


def test_who_names_a_service_means_it(index: Index) -> None:
    for service, slug in (("slack", "slack"), ("gmail", "gmail"), ("cloudflare", "cloudflare")):
        assert index.rank(f"list everything in {service}")[0].action.integration == slug


def test_who_asks_to_be_told_is_not_offered_a_change_first(index: Index) -> None:
    for question in ("which domains do we have", "who are our customers", "show the invoices"):
        assert index.rank(question)[0].action.effect is Effect.READ


@pytest.mark.parametrize(
    ("words", "stem"),
    [
        ("deploy deploys deployed deploying deployment deployments", "deploy"),
        ("E-mail email emails", "email"),
        ("repository repositories", "repository"),
        ("run running", "run"),
        ("analytics", "analytic"),
        ("address addresses", "address"),
    ],
)
def test_words_are_compared_by_their_stems(words: str, stem: str) -> None:
    assert set(stems(words)) == {stem}


def test_the_data_names_no_service(catalogue: FolderCatalogue) -> None:
    words = read_words()
    names = {word for slug in catalogue.integrations for word in stems(slug)} - {"google", "drive", "analytic"}
    assert names.isdisjoint(words.leads_to)
    assert names.isdisjoint(words.silent)
