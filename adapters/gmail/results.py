"""What Gmail's actions answer with."""

from datetime import datetime

from adapters._kit import Field, Result
from adapters._kit.content import ReceivedContent


class MailAccount(Result):
    """The mailbox."""

    email_address: str = Field(validation_alias="emailAddress")
    messages: int = Field(default=0, validation_alias="messagesTotal", description="How many messages it holds.")
    threads: int = Field(default=0, validation_alias="threadsTotal", description="How many conversations it holds.")


class SentEmail(Result):
    """An email that was handed to Gmail."""

    id: str
    thread_id: str = Field(validation_alias="threadId")
    label_ids: list[str] = Field(default_factory=list, validation_alias="labelIds")


class MessageReference(Result):
    """A message by its ids only."""

    id: str
    thread_id: str = Field(validation_alias="threadId")


class MessageList(Result):
    """One page of messages, the newest first."""

    messages: list[MessageReference]
    next_page_token: str | None = None


class ThreadReference(Result):
    """A conversation: its id and how its newest message begins."""

    id: str
    snippet: str = ""


class ThreadList(Result):
    """One page of conversations, the newest first."""

    threads: list[ThreadReference]
    next_page_token: str | None = None


class AttachedFile(Result):
    """A file that came with a message. `part_id` is what `get_attachment` wants."""

    part_id: str
    file_name: str
    media_type: str
    size: int = Field(description="In bytes.")


class Email(Result):
    """A message, decoded.

    `text` is its plain text, or its HTML without the marks; `is_truncated` says that there is more of it.
    """

    id: str
    thread_id: str
    subject: str
    sender: str
    to: str = ""
    cc: str = ""
    received_at: datetime | None = None
    is_unread: bool
    label_ids: list[str]
    snippet: str = ""
    text: str | None = None
    is_from_html: bool = Field(default=False, description="The message has no plain text; this was made of its HTML.")
    is_truncated: bool = False
    html: str | None = None
    attachments: list[AttachedFile] = Field(default_factory=list)
    message_id_header: str | None = Field(default=None, description="Its `Message-ID`, the same for all who got it.")
    sent_by_execution: str | None = Field(default=None, description="The execution of Mandate that sent it.")


class Mailbox(Result):
    """One page of messages, decoded, the newest first."""

    emails: list[Email]
    next_page_token: str | None = None


class Thread(Result):
    """A conversation, the oldest message first. `is_truncated`: there are older ones that are not here."""

    id: str
    emails: list[Email]
    is_truncated: bool = False


class ReceivedFile(ReceivedContent):
    """A file that came with a message."""

    file_name: str


class Draft(Result):
    """A draft. `id` is what `send_draft` wants."""

    id: str
    message: MessageReference


class Label(Result):
    """A label of the mailbox; `INBOX` and the like are Gmail's own."""

    id: str
    name: str
    is_system: bool = False


class LabelledMessage(Result):
    """A message and the labels it has now."""

    id: str
    thread_id: str = Field(validation_alias="threadId")
    label_ids: list[str] = Field(default_factory=list, validation_alias="labelIds")


class Contact(Result):
    """A person or organisation in the contacts. `etag` is what `update_contact` wants."""

    id: str
    etag: str
    name: str = ""
    emails: list[str] = Field(default_factory=list)
    phones: list[str] = Field(default_factory=list)
    organization: str | None = None
    job_title: str | None = None
    notes: str | None = None


class ContactList(Result):
    """One page of contacts."""

    contacts: list[Contact]
    next_page_token: str | None = None
