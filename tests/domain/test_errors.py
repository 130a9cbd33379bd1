import ast
from pathlib import Path

import domain
from domain.errors import (
    InvalidParameters,
    MandateError,
    ProviderProblem,
    Refusal,
    Violation,
    documented_codes,
)


def kinds(root: type[MandateError] = MandateError) -> list[type[MandateError]]:
    """The whole family, as far as it is defined in this module."""
    children = (child for child in root.__subclasses__() if child.__module__ == root.__module__)
    return [root, *(each for child in children for each in kinds(child))]


def test_every_documented_code_is_told_in_one_sentence() -> None:
    for code, meaning in documented_codes().items():
        assert code == code.upper()
        assert meaning.endswith("."), code


def test_every_error_that_is_raised_has_a_code_of_its_own() -> None:
    families = {Refusal}  # never raised themselves; `Rejected` is the plain ProviderProblem
    codes = [kind.code for kind in kinds() if "code" in vars(kind)]
    assert len(codes) == len(set(codes))
    assert set(codes) <= set(documented_codes())
    silent = {kind for kind in kinds() if "code" not in vars(kind)} - families
    assert {kind.__name__ for kind in silent} == {"Rejected"}


def test_every_error_says_what_it_is() -> None:
    assert all((kind.__doc__ or "").strip() for kind in kinds())


def test_the_tree_at_the_top_of_the_module_names_every_error() -> None:
    told = ast.get_docstring(ast.parse(Path(domain.__path__[0], "errors.py").read_text())) or ""
    assert [kind.__name__ for kind in kinds() if kind.__name__ not in told] == []


def test_what_only_the_operator_may_read_is_not_for_callers() -> None:
    hidden = {kind.__name__ for kind in kinds() if not kind.is_for_callers}
    assert hidden == {"CredentialUnreadable", "Misconfigured"}


def test_the_words_are_ours_and_nothing_is_taken_from_a_cause() -> None:
    problem = ProviderProblem("GitHub said no.")
    problem.__cause__ = ValueError("foreign text")
    assert str(problem) == problem.message == "GitHub said no."
    assert "foreign" not in repr(problem)


def test_all_mistakes_come_at_once_and_are_counted() -> None:
    one, other = Violation("/a", "Wrong."), Violation("/b", "Wrong.")
    assert InvalidParameters([one]).message == "One parameter is wrong."
    many = InvalidParameters([one, other])
    assert (many.message, many.violations) == ("2 parameters are wrong.", (one, other))
    assert many.path == ("input", "parameters")
