"""Amounts of money from name.com: what cannot be one is not passed on."""

import pytest

from adapters.namecom.results import Pricing
from domain.errors import AnswerGarbled
from domain.json import Json


def priced(amount: Json) -> str | None:
    told = {"premium": False, "purchasePrice": amount, "renewalPrice": None, "transferPrice": None}
    return Pricing.of(told).purchase_price


@pytest.mark.parametrize(
    ("amount", "text"), [(12.99, "12.99"), (10, "10.00"), (0.1, "0.10"), (8.125, "8.125"), (349.95, "349.95")]
)
def test_an_amount_becomes_decimal_text(amount: float, text: str) -> None:
    assert priced(amount) == text


def test_what_is_not_sold_has_no_price() -> None:
    assert priced(None) is None


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), -1.0, 1e300, True, "12", "free"])
def test_what_is_no_amount_makes_the_answer_garbled(amount: Json) -> None:
    with pytest.raises(AnswerGarbled):
        priced(amount)
