"""Revenue out of balance transactions: currency by currency, and whole or not at all.

Stripe's reporting categories ("Reporting categories" of its documentation) say what each movement means. Sums are of
whole numbers in the smallest unit, so nothing is rounded.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal, Self

from adapters._kit import Field, Result
from adapters.stripe.results import BalanceTransaction, Money
from domain.errors import Rejected

#: One more than is summed: a list cut off here is not the whole period.
MOST = 5000
_LONGEST = timedelta(days=366)

Grouping = Literal["total", "month", "day"]
_Part = Literal["gross", "refunds", "disputes", "fees"]

#: What each category is part of. All others move money without earning or costing any.
_PARTS: Mapping[str, _Part] = {
    "charge": "gross",
    "charge_failure": "gross",  # a bank took it back before it was final
    "partial_capture_reversal": "gross",  # what was held and never taken
    "refund": "refunds",
    "refund_failure": "refunds",  # a refund that came back
    "dispute": "disputes",
    "dispute_reversal": "disputes",
    "fee": "fees",
    "network_cost": "fees",
    "tax": "fees",
}
_PIECES: Mapping[Grouping, int] = {"total": 0, "month": 7, "day": 10}


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days in UTC; `begin` and `end` are epoch seconds, the end is not part of it."""

    since: date
    until: date

    @classmethod
    def of(cls, since: date, until: date) -> Self:
        """Raises Rejected when it ends before it begins, or is longer than a year."""
        if until < since:
            raise Rejected("`until` is before `since`. Nothing was asked.")
        if until - since >= _LONGEST:
            raise Rejected("A period is 366 days at most. Nothing was asked.")
        return cls(since, until)

    @property
    def begin(self) -> int:
        """Midnight of the first day."""
        return _midnight(self.since)

    @property
    def end(self) -> int:
        """Midnight after the last day."""
        return _midnight(self.until) + 86_400


class RevenueRow(Result):
    """One currency in one period. Amounts are whole numbers of its smallest unit, with the same for people."""

    period: str = Field(description="The month or day; with `total`, the first and last day.")
    currency: str
    gross: Money = Field(description="Successful payments, before fees and refunds.")
    refunds: Money = Field(description="What went back to customers; zero or negative.")
    disputes: Money = Field(description="What disputes took, less what was won back.")
    fees: Money = Field(description="What Stripe kept; a positive number.")
    net: Money = Field(description="gross + refunds + disputes - fees.")
    payments: int = Field(description="How many payments `gross` counts.")
    refunded: int = Field(description="How many refunds `refunds` counts.")


class Revenue(Result):
    """What was earned in a period."""

    since: str
    until: str
    rows: list[RevenueRow] = Field(description="Empty when nothing moved.")
    counted: int = Field(description="How many balance transactions are in the sums.")
    left_out: dict[str, int] = Field(description="How many were left out, by category, e.g. payouts.")
    basis: str = Field(description="What was counted, in words.")


@dataclass(slots=True)
class _Sums:
    gross: int = 0
    refunds: int = 0
    disputes: int = 0
    fees: int = 0
    payments: int = 0
    refunded: int = 0

    def add(self, part: _Part, each: BalanceTransaction) -> None:
        """A fee of its own is a negative amount; other movements carry theirs beside the amount."""
        if part == "fees":
            self.fees += each.fee - each.amount
            return
        setattr(self, part, getattr(self, part) + each.amount)
        self.fees += each.fee
        self.payments += each.category == "charge"
        self.refunded += each.category == "refund"


def counted(period: Period, grouping: Grouping, transactions: Sequence[BalanceTransaction]) -> Revenue:
    """The sums. Raises Rejected when the list may have been cut off."""
    if len(transactions) >= MOST:
        raise Rejected(f"There are {MOST} transactions or more in this period. Ask for shorter periods.")
    sums: defaultdict[tuple[str, str], _Sums] = defaultdict(_Sums)
    left_out: Counter[str] = Counter()
    whole = f"{period.since} to {period.until}"
    for each in transactions:
        part = _PARTS.get(each.category)
        if part is None:
            left_out[each.category] += 1
        else:
            sums[each.created_at[: _PIECES[grouping]] or whole, each.currency].add(part, each)
    return Revenue(
        since=str(period.since),
        until=str(period.until),
        rows=list(_rows(sums)),
        counted=len(transactions) - left_out.total(),
        left_out=dict(left_out),
        basis="Balance transactions created in the period (UTC), by settlement currency: amounts, and Stripe's fees.",
    )


def _rows(sums: Mapping[tuple[str, str], _Sums]) -> Iterable[RevenueRow]:
    for (piece, currency), each in sorted(sums.items()):
        net = each.gross + each.refunds + each.disputes - each.fees
        yield RevenueRow(
            period=piece,
            currency=currency,
            gross=Money(amount=each.gross, currency=currency),
            refunds=Money(amount=each.refunds, currency=currency),
            disputes=Money(amount=each.disputes, currency=currency),
            fees=Money(amount=each.fees, currency=currency),
            net=Money(amount=net, currency=currency),
            payments=each.payments,
            refunded=each.refunded,
        )


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
