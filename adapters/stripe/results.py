"""What the actions on Stripe answer with.

Amounts stay what Stripe counts: whole numbers of the smallest unit, beside their currency. `text` says the same for
people. Times are ISO 8601 in UTC.
"""

from datetime import UTC, datetime

from adapters._kit import AliasPath, Annotated, BeforeValidator, Field, Result, computed_field
from adapters.stripe.money import readable


def _moment(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 253_402_300_800:
        return datetime.fromtimestamp(value, UTC).isoformat().replace("+00:00", "Z")
    return value


def _id_of(value: object) -> object:
    """Stripe gives the id, or on request the whole of what it names."""
    return value.get("id") if isinstance(value, dict) else value


Moment = Annotated[str, BeforeValidator(_moment)]
Reference = Annotated[str | None, BeforeValidator(_id_of)]


class Money(Result):
    """An amount in the currency's smallest unit."""

    amount: int
    currency: str

    @computed_field(description="The amount for people.")  # type: ignore[prop-decorator]  # pydantic's own advice
    @property
    def text(self) -> str:
        """The amount for people."""
        return readable(self.amount, self.currency)


class Account(Result):
    """The connected account."""

    id: str
    name: str | None = Field(
        None,
        validation_alias=AliasPath("settings", "dashboard", "display_name"),
        description="As its dashboard shows it.",
    )
    business_name: str | None = Field(None, validation_alias=AliasPath("business_profile", "name"))
    email: str | None = None
    country: str | None = None
    default_currency: str | None = None
    charges_enabled: bool | None = Field(None, description="Whether it can take payments now.")
    payouts_enabled: bool | None = Field(None, description="Whether its money can be paid out now.")


class Balance(Result):
    """What the account holds at Stripe, by currency."""

    livemode: bool = Field(description="False: test money.")
    available: list[Money] = Field(description="Can be paid out.")
    pending: list[Money] = Field(description="Not settled yet.")


class BalanceTransaction(Money):
    """One movement of money."""

    id: str
    type: str = Field(description="e.g. charge, payment, refund, payout, stripe_fee.")
    category: str = Field(validation_alias="reporting_category", description="Stripe's grouping for reports.")
    fee: int
    net: int = Field(description="amount less fee.")
    status: str
    source: Reference = Field(None, description="The charge, refund or payout behind it.")
    description: str | None = None
    created_at: Moment = Field(validation_alias="created")
    available_at: Moment = Field(validation_alias="available_on")


class Charge(Money):
    """A payment that was made or tried."""

    id: str
    status: str
    paid: bool
    refunded: bool = Field(description="Whether all of it was refunded.")
    amount_refunded: int
    disputed: bool
    customer: Reference = None
    payment_intent: Reference = None
    description: str | None = None
    failure_code: str | None = None
    receipt_url: str | None = None
    created_at: Moment = Field(validation_alias="created")


class Product(Result):
    """Something that is sold."""

    id: str
    name: str
    active: bool
    description: str | None = None
    default_price: Reference = None
    images: list[str] = Field([], description="Addresses of pictures.")
    metadata: dict[str, str] = Field({}, description="Notes of the account's own.")
    created_at: Moment = Field(validation_alias="created")


class Price(Result):
    """What a product costs, once or again and again."""

    id: str
    product: Reference = None
    active: bool
    currency: str
    unit_amount: int | None = Field(None, description="In the smallest unit. Null when it is not one fixed amount.")
    type: str = Field(description="one_time or recurring.")
    interval: str | None = Field(None, validation_alias=AliasPath("recurring", "interval"))
    interval_count: int | None = Field(None, validation_alias=AliasPath("recurring", "interval_count"))
    nickname: str | None = None
    lookup_key: str | None = None
    metadata: dict[str, str] = Field({}, description="Notes of the account's own.")

    @computed_field(description="The amount for people.")  # type: ignore[prop-decorator]  # pydantic's own advice
    @property
    def text(self) -> str | None:
        """The amount for people."""
        return None if self.unit_amount is None else readable(self.unit_amount, self.currency)


class PostalAddress(Result):
    """A postal address."""

    line1: str | None = None
    line2: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None


class HeldSubscription(Result):
    """A subscription of a customer, in short."""

    id: str
    status: str


class Customer(Result):
    """A person or company that pays."""

    id: str
    deleted: bool = Field(False, description="True: it is gone, and nothing else of it is known.")
    email: str | None = None
    name: str | None = None
    description: str | None = None
    phone: str | None = None
    address: PostalAddress | None = None
    metadata: dict[str, str] = Field({}, description="Notes of the account's own.")
    created_at: Moment | None = Field(None, validation_alias="created")
    subscriptions: list[HeldSubscription] | None = Field(
        None, validation_alias=AliasPath("subscriptions", "data"), description="Null when not asked for."
    )


class Deleted(Result):
    """What is gone."""

    id: str
    deleted: bool


class SubscribedItem(Result):
    """One price of a subscription."""

    id: str = Field(description="For update_subscription.")
    quantity: int | None = None
    price: Price
    current_period_start: Moment
    current_period_end: Moment


class Subscription(Result):
    """A customer's standing order."""

    id: str
    status: str = Field(description="e.g. incomplete, trialing, active, past_due, canceled, unpaid, paused.")
    customer: Reference = None
    collection_method: str
    currency: str
    items: list[SubscribedItem] = Field(validation_alias=AliasPath("items", "data"))
    cancel_at_period_end: bool
    cancel_at: Moment | None = None
    canceled_at: Moment | None = None
    ended_at: Moment | None = None
    trial_end: Moment | None = None
    latest_invoice: Reference = None
    payment_url: str | None = Field(
        None,
        validation_alias=AliasPath("latest_invoice", "hosted_invoice_url"),
        description="Where the customer sees and pays the latest invoice; told when it is set up.",
    )
    metadata: dict[str, str] = Field({}, description="Notes of the account's own.")
    created_at: Moment = Field(validation_alias="created")


class SubscriptionSetUp(Result):
    """Everything that a set-up made or used."""

    customer: str
    product: str
    price: Price
    subscription: Subscription


class CheckoutSession(Result):
    """A page on which a customer pays."""

    id: str
    url: str | None = Field(None, description="Send the customer here. Null for a page embedded in yours.")
    client_secret: str | None = Field(None, description="For your page that embeds it.")
    mode: str
    status: str | None = None
    payment_status: str
    customer: Reference = None
    expires_at: Moment | None = None


class PaymentLink(Result):
    """An address at which anybody can pay, again and again."""

    id: str
    url: str
    active: bool


class PortalSession(Result):
    """A customer's way to their own subscriptions and invoices."""

    id: str
    url: str = Field(description="Opens the customer's account for whoever has it: give it to them alone, soon.")
    customer: str
    return_url: str | None = None


class Refund(Money):
    """Money on its way back."""

    id: str
    status: str | None = Field(None, description="pending, requires_action, succeeded, failed or canceled.")
    charge: Reference = None
    payment_intent: Reference = None
    reason: str | None = None
    failure_reason: str | None = None
    created_at: Moment = Field(validation_alias="created")


class Invoice(Result):
    """An invoice; amounts in the smallest unit of its currency."""

    id: str
    number: str | None = None
    status: str | None = None
    customer: Reference = None
    customer_email: str | None = None
    subscription: Reference = Field(None, validation_alias=AliasPath("parent", "subscription_details", "subscription"))
    currency: str
    total: int
    amount_due: int
    amount_paid: int
    amount_remaining: int
    due_at: Moment | None = Field(None, validation_alias="due_date")
    created_at: Moment = Field(validation_alias="created")
    hosted_invoice_url: str | None = Field(None, description="Where the customer sees and pays it.")
    invoice_pdf: str | None = None

    @computed_field(description="The total for people.")  # type: ignore[prop-decorator]  # pydantic's own advice
    @property
    def text(self) -> str:
        """The total for people."""
        return readable(self.total, self.currency)
