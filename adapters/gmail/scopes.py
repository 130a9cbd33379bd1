"""The permissions that Gmail's actions need. The manifest explains them."""

from typing import Final

_AUTH = "https://www.googleapis.com/auth"

READ: Final = f"{_AUTH}/gmail.readonly"
SEND: Final = f"{_AUTH}/gmail.send"
COMPOSE: Final = f"{_AUTH}/gmail.compose"
MODIFY: Final = f"{_AUTH}/gmail.modify"
LABELS: Final = f"{_AUTH}/gmail.labels"
CONTACTS: Final = f"{_AUTH}/contacts"
CONTACTS_READ: Final = f"{_AUTH}/contacts.readonly"
