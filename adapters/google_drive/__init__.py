"""The Google Drive integration."""
