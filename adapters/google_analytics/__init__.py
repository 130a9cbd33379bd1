"""The Google Analytics 4 integration."""
