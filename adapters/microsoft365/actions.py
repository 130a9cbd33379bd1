"""Everything an agent may do in Microsoft 365, in one list. Each subject has its module."""

from adapters.microsoft365.calendars import (
    create_event,
    delete_event,
    get_event,
    list_calendars,
    list_events,
    update_event,
)
from adapters.microsoft365.files import (
    create_sharing_link,
    list_files,
    read_file,
    search_files,
    share_file,
    upload_file,
)
from adapters.microsoft365.free_time import find_free_time
from adapters.microsoft365.mail import (
    find_sent_email,
    get_attachment,
    get_message,
    get_thread,
    list_mail_folders,
    list_messages,
    search_messages,
)
from adapters.microsoft365.mail_writing import (
    create_draft,
    delete_message,
    forward_message,
    move_message,
    reply_message,
    send_draft,
    send_email,
    update_message,
)
from adapters.microsoft365.people import get_account, list_contacts
from adapters.microsoft365.teams import (
    list_chat_messages,
    list_chats,
    list_team_channels,
    list_teams,
    send_channel_message,
    send_chat_message,
    send_direct_message,
)

__all__ = [
    "create_draft",
    "create_event",
    "create_sharing_link",
    "delete_event",
    "delete_message",
    "find_free_time",
    "find_sent_email",
    "forward_message",
    "get_account",
    "get_attachment",
    "get_event",
    "get_message",
    "get_thread",
    "list_calendars",
    "list_chat_messages",
    "list_chats",
    "list_contacts",
    "list_events",
    "list_files",
    "list_mail_folders",
    "list_messages",
    "list_team_channels",
    "list_teams",
    "move_message",
    "read_file",
    "reply_message",
    "search_files",
    "search_messages",
    "send_channel_message",
    "send_chat_message",
    "send_direct_message",
    "send_draft",
    "send_email",
    "share_file",
    "update_event",
    "update_message",
    "upload_file",
]
