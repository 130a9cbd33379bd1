"""What the actions on Slack answer with."""

from adapters._kit import AliasChoices, AliasPath, Field, Result


class Account(Result):
    """The workspace, and the app's own user in it."""

    team_id: str
    team: str
    url: str
    user_id: str
    user: str


class Posted(Result):
    """A message of ours. `channel` and `ts` together name it, also for later edits and threads."""

    channel: str
    ts: str


class Reaction(Result):
    """An emoji below a message."""

    channel: str
    ts: str
    emoji: str


class Channel(Result):
    """A channel. `is_member` is about the app."""

    id: str
    name: str
    is_archived: bool = False
    is_member: bool = False
    topic: str = Field("", validation_alias=AliasChoices(AliasPath("topic", "value"), "topic"))
    purpose: str = Field("", validation_alias=AliasChoices(AliasPath("purpose", "value"), "purpose"))
    num_members: int | None = None


class Message(Result):
    """A message. `user` is empty for some messages of apps and of Slack; `subtype` tells those apart."""

    ts: str
    text: str = ""
    user: str | None = None
    bot_id: str | None = None
    subtype: str | None = None
    thread_ts: str | None = None
    reply_count: int = 0


class Person(Result):
    """Somebody in the workspace."""

    id: str
    name: str
    real_name: str | None = Field(None, validation_alias=AliasChoices("real_name", AliasPath("profile", "real_name")))
    display_name: str | None = Field(
        None, validation_alias=AliasChoices(AliasPath("profile", "display_name"), "display_name")
    )
    title: str | None = Field(None, validation_alias=AliasChoices(AliasPath("profile", "title"), "title"))
    tz: str | None = None
    is_bot: bool = False
    deleted: bool = False


class PersonWithEmail(Person):
    """Somebody in the workspace, found by the address."""

    email: str | None = Field(None, validation_alias=AliasChoices(AliasPath("profile", "email"), "email"))


class Scheduled(Result):
    """A message that Slack will post. `post_at` is in Unix seconds."""

    channel: str
    scheduled_message_id: str
    post_at: int


class FoundMessage(Result):
    """A message that a search has found."""

    ts: str
    text: str = ""
    user: str | None = None
    username: str | None = None
    channel: str = Field(validation_alias=AliasChoices(AliasPath("channel", "id"), "channel"))
    channel_name: str | None = Field(None, validation_alias=AliasChoices(AliasPath("channel", "name"), "channel_name"))
    permalink: str | None = None


class DirectMessage(Result):
    """A direct message, to write to."""

    id: str


class File(Result):
    """A file. Uploads that were just completed are told by `id` and `title` only."""

    id: str
    name: str | None = None
    title: str | None = None
    mimetype: str | None = None
    size: int | None = None
    user: str | None = None
    created: int | None = Field(None, description="Unix seconds.")
    permalink: str | None = None


class Upload(Result):
    """Where to post the bytes of a file."""

    upload_url: str
    file_id: str
