"""Stripe: payments, customers, subscriptions."""
