"""Everything an agent may do at Stripe, in one list. Each subject has its module."""

from adapters.stripe.account import (
    get_account,
    get_balance,
    list_balance_transactions,
    list_charges,
    view_revenue,
)
from adapters.stripe.customers import (
    create_customer,
    delete_customer,
    get_customer,
    list_customers,
    search_customers,
    update_customer,
)
from adapters.stripe.products import create_price, create_product, list_prices, list_products, update_product
from adapters.stripe.selling import (
    create_billing_portal_session,
    create_checkout_session,
    create_payment_link,
    create_refund,
    list_invoices,
)
from adapters.stripe.subscriptions import (
    cancel_subscription,
    create_subscription,
    get_subscription,
    list_subscriptions,
    set_up_subscription,
    update_subscription,
)

__all__ = [
    "cancel_subscription",
    "create_billing_portal_session",
    "create_checkout_session",
    "create_customer",
    "create_payment_link",
    "create_price",
    "create_product",
    "create_refund",
    "create_subscription",
    "delete_customer",
    "get_account",
    "get_balance",
    "get_customer",
    "get_subscription",
    "list_balance_transactions",
    "list_charges",
    "list_customers",
    "list_invoices",
    "list_prices",
    "list_products",
    "list_subscriptions",
    "search_customers",
    "set_up_subscription",
    "update_customer",
    "update_product",
    "update_subscription",
    "view_revenue",
]
