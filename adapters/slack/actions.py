"""What an agent may do in a Slack workspace, as the app that was installed there, in one list.

Public channels only: private ones need scopes of their own, and asking for them without need would be asking
for more than the work takes. Every method is called as a form by POST, the one form that all of them accept.
"""

from adapters.slack.channels import (
    archive_channel,
    create_channel,
    get_channel_info,
    invite_to_channel,
    join_channel,
    list_channels,
    open_dm,
    set_channel_topic,
)
from adapters.slack.files import complete_upload, get_upload_url, list_files, upload_file
from adapters.slack.messages import (
    add_reaction,
    delete_message,
    get_channel_history,
    get_thread_replies,
    schedule_message,
    search_messages,
    send_message,
    update_message,
)
from adapters.slack.people import find_user_by_email, get_account, get_user_info, list_users

__all__ = [
    "add_reaction",
    "archive_channel",
    "complete_upload",
    "create_channel",
    "delete_message",
    "find_user_by_email",
    "get_account",
    "get_channel_history",
    "get_channel_info",
    "get_thread_replies",
    "get_upload_url",
    "get_user_info",
    "invite_to_channel",
    "join_channel",
    "list_channels",
    "list_files",
    "list_users",
    "open_dm",
    "schedule_message",
    "search_messages",
    "send_message",
    "set_channel_topic",
    "update_message",
    "upload_file",
]
