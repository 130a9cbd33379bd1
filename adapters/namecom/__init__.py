"""The name.com integration."""
