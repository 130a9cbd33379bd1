"""Amounts as Stripe counts them: whole numbers of a currency's smallest unit, made readable without rounding.

Source: "Supported currencies" of Stripe's documentation: zero-decimal and three-decimal currencies, special cases. ISK
and UGX have no decimals in daily life, but Stripe counts them as if they had two; HUF and TWD are unusual in payouts
only.
"""

from decimal import Decimal

_WHOLE = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf"
_THOUSANDTHS = "bhd jod kwd omr tnd"
_DECIMALS = {**dict.fromkeys(_WHOLE.split(), 0), **dict.fromkeys(_THOUSANDTHS.split(), 3)}


def readable(amount: int, currency: str) -> str:
    """e.g. `19.99 USD` for 1999, `2000 JPY` for 2000, `-5.250 KWD` for -5250."""
    return f"{Decimal(amount).scaleb(-_DECIMALS.get(currency.lower(), 2)):f} {currency.upper()}"
