"""The account's own: who it is, what it holds, what moved, what was earned."""

from datetime import date
from typing import Literal

from adapters._kit import Annotated, Call, Effect, Field, action
from adapters._kit.brackets import bracketed
from adapters.stripe.parameters import ChargeId, CustomerId, Limit, PaymentIntentId, Since, Until, created
from adapters.stripe.results import Account, Balance, BalanceTransaction, Charge
from adapters.stripe.revenue import MOST, Period, Revenue, counted

Type = Annotated[
    str,
    Field(description="Only this type, e.g. charge, payment, refund, payout, stripe_fee.", pattern=r"^[a-z_]{1,60}$"),
]


@action(effect=Effect.READ, scopes=("read_only",))
async def get_account(call: Call) -> Account:
    """Look up the connected Stripe account.

    A restricted key needs read access to Accounts for this.
    """
    return Account.of((await call.get("v1/account")).json)


@action(effect=Effect.READ, scopes=("read_only",))
async def get_balance(call: Call) -> Balance:
    """See how much money is in the Stripe balance, available and pending.

    This is what was not paid out yet, by currency. It is not revenue: view_revenue tells that.
    """
    return Balance.of((await call.get("v1/balance")).json)


@action(effect=Effect.READ, scopes=("read_only",))
async def list_balance_transactions(
    call: Call,
    *,
    created_since: Since | None = None,
    created_before: Until | None = None,
    type: Type | None = None,
    source: ChargeId | None = None,
    payout: Annotated[
        str | None, Field(description="Only what this automatic payout paid out.", pattern=r"^po_[A-Za-z0-9_]{1,250}$")
    ] = None,
    limit: Limit = 100,
) -> list[BalanceTransaction]:
    """List the movements of money: charges, refunds, fees, payouts.

    Sums of a period are view_revenue's. Never add amounts of different currencies.
    """
    query = bracketed(created=created(created_since, created_before), type=type, source=source, payout=payout)
    found = await call.pages("v1/balance_transactions", limit=limit, items="data", query=query)
    return [BalanceTransaction.of(each) for each in found]


@action(effect=Effect.READ, scopes=("read_only",))
async def list_charges(
    call: Call,
    *,
    customer: CustomerId | None = None,
    payment_intent: PaymentIntentId | None = None,
    created_since: Since | None = None,
    created_before: Until | None = None,
    limit: Limit = 100,
) -> list[Charge]:
    """List payments that customers made or tried to make.

    `status` tells whether one succeeded; `failure_code` why not.
    """
    window = created(created_since, created_before)
    query = bracketed(created=window, customer=customer, payment_intent=payment_intent)
    return [Charge.of(each) for each in await call.pages("v1/charges", limit=limit, items="data", query=query)]


@action(effect=Effect.READ, scopes=("read_only",))
async def view_revenue(
    call: Call,
    *,
    since: Annotated[date, Field(description="The first day, in UTC, e.g. 2026-10-01.")],
    until: Annotated[date, Field(description="The last day, in UTC; it is counted too.")],
    group_by: Annotated[
        Literal["total", "month", "day"], Field(description="One row for the whole period, or for each month or day.")
    ] = "total",
    currency: Annotated[
        str | None,
        Field(
            description="Only this currency, three lower-case letters. Left out: all, each on its own.",
            pattern=r"^[a-z]{3}$",
        ),
    ] = None,
) -> Revenue:
    """View revenue: sales, refunds, fees and what remains, for a period.

    Counted are the account's balance transactions of the period, in the currency in which Stripe settles them, each
    currency in rows of its own: currencies are never added or converted. `gross` are successful payments, `refunds`
    and `disputes` what went back, `fees` what Stripe kept, `net` what remains of all these. Payouts to the bank,
    top-ups and transfers are not revenue and are left out; `left_out` counts them. Days are UTC days. A period with
    5000 transactions or more is refused rather than summed in part: ask for shorter ones.
    """
    period = Period.of(since, until)
    query = bracketed(created=created(period.begin, period.end), currency=currency)
    found = await call.pages("v1/balance_transactions", limit=MOST, items="data", query=query)
    return counted(period, group_by, [BalanceTransaction.of(each) for each in found])
