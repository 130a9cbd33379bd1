"""The permissions that Google Analytics knows, as actions name them."""

from typing import Final

READ: Final = ("https://www.googleapis.com/auth/analytics.readonly",)
EDIT: Final = ("https://www.googleapis.com/auth/analytics.edit",)
