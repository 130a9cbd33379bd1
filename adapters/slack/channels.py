"""Channels: find, create, join, invite, describe, archive; and direct messages."""

from adapters._kit import Annotated, Call, Effect, Field, action
from adapters._kit.call import Query
from adapters.slack.parameters import ChannelId, Limit, UserId
from adapters.slack.results import Channel, DirectMessage


@action(effect=Effect.READ, scopes=("channels:read",))
async def list_channels(
    call: Call,
    *,
    exclude_archived: Annotated[bool, Field(description="Leave out channels that are archived.")] = True,
    limit: Limit = 100,
) -> list[Channel]:
    """List the public channels.

    `is_member` tells where the app may read and post. Slack has no search by name: list, then compare.
    """
    form: Query = {"types": "public_channel", "exclude_archived": exclude_archived}
    found = await call.pages("conversations.list", limit=limit, items="channels", query=form)
    return [Channel.of(each) for each in found]


@action(effect=Effect.READ, scopes=("channels:read",))
async def get_channel_info(call: Call, *, channel: ChannelId) -> Channel:
    """Show one channel.

    Its name, topic, purpose and how many are in it.
    """
    form: Query = {"channel": channel, "include_num_members": True}
    return Channel.of((await call.post("conversations.info", form=form, harmless=True)).at("channel"))


@action(
    effect=Effect.WRITE,
    scopes=("channels:manage",),
    look_for="a public channel of this name",
)
async def create_channel(
    call: Call,
    *,
    name: Annotated[
        str,
        Field(
            description="Without the leading hash: lower-case letters, digits, hyphens and underscores.",
            min_length=1,
            max_length=80,
            pattern=r"^[^\sA-Z#.,!?:;'\"]+$",
        ),
    ],
) -> Channel:
    """Create a public channel.

    Fails with a conflict (name_taken) when the name is in use, also by an archived channel: choose another
    one. The app becomes a member; people have to be invited or join.
    """
    answer = await call.post("conversations.create", form={"name": name})
    return Channel.of(answer.at("channel"))


@action(
    effect=Effect.WRITE,
    scopes=("channels:join",),
    idempotent=True,
    look_for="the app among the members of the channel",
)
async def join_channel(call: Call, *, channel: ChannelId) -> Channel:
    """Join a public channel.

    The app then may read and post there. Joining again changes nothing.
    """
    return Channel.of((await call.post("conversations.join", form={"channel": channel})).at("channel"))


@action(
    effect=Effect.WRITE,
    scopes=("channels:manage",),
    look_for="these people among the members of the channel",
)
async def invite_to_channel(
    call: Call,
    *,
    channel: ChannelId,
    users: Annotated[list[UserId], Field(description="Ids of the people.", min_length=1, max_length=100)],
) -> Channel:
    """Invite people to a channel.

    The app must be a member. A conflict (already_in_channel) when one of them is there already.
    """
    form: Query = {"channel": channel, "users": ",".join(users)}
    return Channel.of((await call.post("conversations.invite", form=form)).at("channel"))


@action(
    effect=Effect.WRITE,
    scopes=("channels:manage",),
    idempotent=True,
    look_for="the topic of the channel",
)
async def set_channel_topic(
    call: Call,
    *,
    channel: ChannelId,
    topic: Annotated[str, Field(description="The new topic; an empty one removes it.", max_length=250)],
) -> Channel:
    """Set the topic of a channel.

    The app must be a member. The channel says that the topic was changed.
    """
    answer = await call.post("conversations.setTopic", form={"channel": channel, "topic": topic})
    return Channel.of(answer.at("channel"))


@action(
    effect=Effect.DESTRUCTIVE,
    scopes=("channels:manage",),
    look_for="whether the channel is archived",
)
async def archive_channel(call: Call, *, channel: ChannelId) -> None:
    """Archive a channel.

    Closes it for everybody; what was written stays readable, and a person can open it again. A conflict
    (already_archived) when it is.
    """
    await call.post("conversations.archive", form={"channel": channel})


@action(
    effect=Effect.WRITE,
    scopes=("im:write",),
    idempotent=True,
    look_for="a direct message between the app and this person",
)
async def open_dm(call: Call, *, user: UserId) -> DirectMessage:
    """Open a direct message with a person.

    Answers the id to write to; nobody is notified before something is written. send_message also takes a
    person's id by itself.
    """
    form: Query = {"users": user, "return_im": True}
    return DirectMessage.of((await call.post("conversations.open", form=form)).at("channel"))
