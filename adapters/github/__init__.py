"""The GitHub integration."""
