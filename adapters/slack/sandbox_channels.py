"""Channels and direct messages in the Slack sandbox."""

import re

from adapters.slack.sandbox_api import Ask, Method, Refused, Shape
from adapters.slack.sandbox_messages import post
from adapters.slack.sandbox_state import BOT_USER, TEAM_ID, Channel

_NAME = re.compile(r"[^\sA-Z#.,!?:;'\"]{1,80}")


def channel_methods() -> dict[str, Method]:
    """All methods of this module."""
    return {
        "conversations.list": Method(list_all, ("channels:read",)),
        "conversations.info": Method(show, ("channels:read",)),
        "conversations.create": Method(create, ("channels:manage",), writes=True),
        "conversations.join": Method(join, ("channels:join",), writes=True),
        "conversations.invite": Method(invite, ("channels:manage",), writes=True),
        "conversations.setTopic": Method(set_topic, ("channels:manage",), writes=True),
        "conversations.archive": Method(archive, ("channels:manage",), writes=True),
        "conversations.open": Method(open_direct, ("im:write",), writes=True),
    }


def list_all(ask: Ask) -> Shape:
    """conversations.list: public channels; other types have none here."""
    types = (ask.text("types") or "public_channel").split(",")
    kept = [one for one in ask.hub.world.public() if not (one.is_archived and ask.flag("exclude_archived"))]
    page, following = ask.cursored(kept if "public_channel" in types else [])
    return {
        "channels": [channel_shape(ask, one, counted=True) for one in page],
        "response_metadata": {"next_cursor": following},
    }


def show(ask: Ask) -> Shape:
    """conversations.info"""
    return {"channel": channel_shape(ask, ask.channel(), counted=ask.flag("include_num_members"))}


def create(ask: Ask) -> Shape:
    """conversations.create: name_taken when there is one of this name, archived or not."""
    name = ask.needed("name", "invalid_name_required")
    if not _NAME.fullmatch(name):
        raise Refused("invalid_name_specials")
    if any(one.name == name for one in ask.hub.world.public()):
        raise Refused("name_taken")
    world = ask.hub.world
    made = Channel(id=world.new_id("C"), name=name, creator=ask.user, created=int(ask.hub.now()), members=[ask.user])
    world.channels.append(made)
    return {"channel": channel_shape(ask, made)}


def join(ask: Ask) -> Shape:
    """conversations.join: joining again warns."""
    channel = ask.channel()
    if channel.is_archived:
        raise Refused("is_archived")
    if channel.with_user:
        raise Refused("method_not_supported_for_channel_type")
    if ask.user in channel.members:
        told: Shape = {"channel": channel_shape(ask, channel), "warning": "already_in_channel"}
        return {**told, "response_metadata": {"warnings": ["already_in_channel"]}}
    channel.members.append(ask.user)
    return {"channel": channel_shape(ask, channel)}


def invite(ask: Ask) -> Shape:
    """conversations.invite: all or none."""
    channel = ask.open_channel()
    wanted = [user for user in ask.needed("users", "no_user").split(",") if user]
    for user in wanted:
        ask.person(user)
        if user in channel.members:
            raise Refused("already_in_channel")
        if user == ask.user:
            raise Refused("cant_invite_self")
    channel.members += wanted
    return {"channel": channel_shape(ask, channel)}


def set_topic(ask: Ask) -> Shape:
    """conversations.setTopic: said in the channel too."""
    channel, topic = ask.open_channel(), ask.text("topic")
    if len(topic) > 250:
        raise Refused("too_long")
    channel.topic = topic
    post(ask.hub, channel, ask.user, f'set the channel topic: "{topic}"', subtype="channel_topic")
    return {"channel": channel_shape(ask, channel)}


def archive(ask: Ask) -> Shape:
    """conversations.archive: never the general one."""
    channel = ask.channel()
    if channel.is_archived:
        raise Refused("already_archived")
    if channel.is_general:
        raise Refused("cant_archive_general")
    if ask.user not in channel.members:
        raise Refused("not_in_channel")
    channel.is_archived = True
    return {}


def open_direct(ask: Ask) -> Shape:
    """conversations.open: with one person."""
    users = [user for user in ask.needed("users", "users_list_not_supplied").split(",") if user]
    if len(users) != 1:
        raise Refused("not_enough_users" if not users else "too_many_users")
    person = ask.person(users[0])
    if person.deleted:
        raise Refused("user_disabled")
    if person.id == BOT_USER:
        raise Refused("cannot_dm_bot")
    known = any(one.with_user == person.id for one in ask.hub.world.channels)
    channel = ask.hub.world.direct(person.id, ask.hub.now())
    shape: Shape = channel_shape(ask, channel) if ask.flag("return_im") else {"id": channel.id}
    return {"channel": shape, "no_op": known, "already_open": known}


def channel_shape(ask: Ask, channel: Channel, *, counted: bool = False) -> Shape:
    """A conversation object."""
    shared: Shape = {
        "id": channel.id,
        "created": channel.created,
        "is_archived": channel.is_archived,
        "is_im": bool(channel.with_user),
        "is_org_shared": False,
    }
    if channel.with_user:
        return {**shared, "user": channel.with_user, "is_user_deleted": False, "priority": 0, "is_open": True}
    shape: Shape = {
        **shared,
        "name": channel.name,
        "name_normalized": channel.name,
        "creator": channel.creator,
        "is_channel": True,
        "is_group": False,
        "is_mpim": False,
        "is_general": channel.is_general,
        "is_member": ask.user in channel.members,
        "is_private": False,
        "is_shared": False,
        "is_ext_shared": False,
        "shared_team_ids": [TEAM_ID],
        "topic": {"value": channel.topic, "creator": channel.creator, "last_set": channel.created},
        "purpose": {"value": channel.purpose, "creator": channel.creator, "last_set": channel.created},
    }
    return {**shape, "num_members": len(channel.members)} if counted else shape
