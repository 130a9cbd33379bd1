"""Everything an agent may do with Gmail and Google contacts, in one list. Each subject has its module."""

from adapters.gmail.contacts import create_contact, delete_contact, list_contacts, search_contacts, update_contact
from adapters.gmail.mailbox import (
    find_sent_email,
    get_account,
    get_attachment,
    get_message,
    get_thread,
    list_messages,
    list_threads,
    read_inbox,
    search_emails,
)
from adapters.gmail.sending import create_draft, reply_to_email, send_draft, send_email
from adapters.gmail.sorting import create_label, list_labels, modify_message, trash_message

__all__ = [
    "create_contact",
    "create_draft",
    "create_label",
    "delete_contact",
    "find_sent_email",
    "get_account",
    "get_attachment",
    "get_message",
    "get_thread",
    "list_contacts",
    "list_labels",
    "list_messages",
    "list_threads",
    "modify_message",
    "read_inbox",
    "reply_to_email",
    "search_contacts",
    "search_emails",
    "send_draft",
    "send_email",
    "trash_message",
    "update_contact",
]
