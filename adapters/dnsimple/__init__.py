"""The DNSimple integration."""
