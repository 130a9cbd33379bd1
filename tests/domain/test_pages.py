"""The size of a page."""

import pytest

from domain.errors import InvalidInput
from domain.pages import page_size


@pytest.mark.parametrize(("asked", "given"), [(None, 50), (1, 1), (100, 100)])
def test_a_page_has_the_size_that_was_asked_for_or_fifty(asked: int | None, given: int) -> None:
    assert page_size(asked) == given


@pytest.mark.parametrize("asked", [0, -1, 101, 2**31])
def test_a_page_of_another_size_is_refused(asked: int) -> None:
    with pytest.raises(InvalidInput, match="between 1 and 100"):
        page_size(asked)
