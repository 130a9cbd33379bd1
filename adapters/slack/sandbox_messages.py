"""Messages in the Slack sandbox: posted, changed, deleted, scheduled, read, searched, reacted to."""

from adapters.slack.sandbox_api import Ask, Method, Refused, Shape
from adapters.slack.sandbox_state import APP_ID, BOT_ID, BOT_USER, TEAM_ID, Channel, Hub, Message, Scheduled

_LONGEST_TEXT = 40_000
_FARTHEST_SECONDS = 120 * 86_400


def message_methods() -> dict[str, Method]:
    """All methods of this module."""
    return {
        "chat.postMessage": Method(post_message, ("chat:write",), writes=True),
        "chat.update": Method(update, ("chat:write",), writes=True),
        "chat.delete": Method(delete, ("chat:write",), writes=True),
        "chat.scheduleMessage": Method(schedule, ("chat:write",), writes=True),
        "conversations.history": Method(history, ("channels:history",)),
        "conversations.replies": Method(replies, ("channels:history",)),
        "reactions.add": Method(react, ("reactions:write",), writes=True),
        "search.messages": Method(search, ("search:read",), kinds=("user",)),
    }


def post(
    hub: Hub, channel: Channel, user: str, text: str, *, thread_ts: str = "", subtype: str = "", broadcast: bool = False
) -> Message:
    """Put a message into a channel."""
    message = Message(
        ts=hub.world.new_ts(hub.now()),
        user=user,
        text=text,
        by_bot=user == BOT_USER and not subtype,
        subtype=subtype,
        thread_ts=thread_ts,
        broadcast=broadcast,
    )
    channel.messages.append(message)
    return message


def deliver_due(hub: Hub) -> None:
    """Post what was scheduled for a moment that has come."""
    due = [one for one in hub.world.scheduled if one.post_at <= hub.now()]
    for one in sorted(due, key=lambda each: each.post_at):
        channel = hub.world.channel(one.channel)
        if channel is not None and not channel.is_archived:
            post(hub, channel, one.user, one.text, thread_ts=one.thread_ts)
        hub.world.scheduled.remove(one)


def post_message(ask: Ask) -> Shape:
    """chat.postMessage: to a channel the caller is in, or to a person."""
    channel, text, thread_ts = _place(ask), _text(ask), _thread(ask)
    message = post(
        ask.hub, channel, ask.user, text, thread_ts=thread_ts, broadcast=bool(thread_ts) and ask.flag("reply_broadcast")
    )
    return {"channel": channel.id, "ts": message.ts, "message": message_shape(channel, message)}


def update(ask: Ask) -> Shape:
    """chat.update: one's own only."""
    channel, message = _own(ask, "cant_update_message")
    message.text, message.edited_by = _text(ask), ask.user
    shape = message_shape(channel, message)
    return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": shape}


def delete(ask: Ask) -> Shape:
    """chat.delete: one's own only."""
    channel, message = _own(ask, "cant_delete_message")
    channel.messages.remove(message)
    return {"channel": channel.id, "ts": message.ts}


def schedule(ask: Ask) -> Shape:
    """chat.scheduleMessage: at most 120 days ahead."""
    channel, text, thread_ts = _place(ask), _text(ask), _thread(ask)
    told = ask.needed("post_at")
    if not (told.isascii() and told.isdigit() and len(told) < 12):
        raise Refused("invalid_time")
    post_at = int(told)
    if post_at <= ask.hub.now():
        raise Refused("time_in_past")
    if post_at > ask.hub.now() + _FARTHEST_SECONDS:
        raise Refused("time_too_far")
    one = Scheduled(
        id=ask.hub.world.new_id("Q"),
        channel=channel.id,
        user=ask.user,
        text=text,
        thread_ts=thread_ts,
        post_at=post_at,
    )
    ask.hub.world.scheduled.append(one)
    message: Shape = {
        "text": text,
        "type": "delayed_message",
        "user": ask.user,
        "bot_id": BOT_ID,
        "team": TEAM_ID,
    }
    return {"channel": channel.id, "scheduled_message_id": one.id, "post_at": post_at, "message": message}


def history(ask: Ask) -> Shape:
    """conversations.history: newest first, without what stands in threads only."""
    channel = _readable(ask)
    shown = [one for one in channel.messages if one.thread_ts in ("", one.ts) or one.broadcast]
    page, following = ask.cursored([one for one in reversed(shown) if _within(ask, one)])
    return {
        "messages": [message_shape(channel, one) for one in page],
        "has_more": bool(following),
        "pin_count": 0,
        "channel_actions_ts": None,
        "channel_actions_count": 0,
        "response_metadata": {"next_cursor": following},
    }


def replies(ask: Ask) -> Shape:
    """conversations.replies: oldest first, beginning with the message it hangs below."""
    channel = _readable(ask)
    parent = _message(channel, ask.text("ts"), "thread_not_found")
    below = [one for one in channel.messages if one.thread_ts == parent.ts and one.ts != parent.ts]
    page, following = ask.cursored([parent, *(one for one in below if _within(ask, one))])
    return {
        "messages": [message_shape(channel, one) for one in page],
        "has_more": bool(following),
        "response_metadata": {"next_cursor": following},
    }


def react(ask: Ask) -> Shape:
    """reactions.add: once per person and emoji."""
    channel = ask.open_channel()
    message = _message(channel, ask.text("timestamp"), "message_not_found")
    name = ask.needed("name", "invalid_name")
    if ask.user in message.reactions.get(name, []):
        raise Refused("already_reacted")
    message.reactions.setdefault(name, []).append(ask.user)
    return {}


def search(ask: Ask) -> Shape:
    """search.messages: all words must occur; `in:#name` and `from:@name` narrow. Channels the person is in."""
    words = ask.needed("query", "no_query").split()
    found = [
        (channel, message)
        for channel in ask.hub.world.public()
        if ask.user in channel.members
        for message in channel.messages
        if all(_fits(ask, channel, message, word) for word in words)
    ]
    found.sort(key=lambda each: each[1].ts, reverse=ask.text("sort_dir") != "asc")
    page, paging = ask.numbered(found, 100)
    matches: list[Shape] = [
        {
            **message_shape(channel, message),
            "username": ask.person(message.user).name,
            "channel": {"id": channel.id, "name": channel.name},
            "permalink": f"{ask.root}/archives/{channel.id}/p{message.ts.replace('.', '')}",
        }
        for channel, message in page
    ]
    return {"query": ask.text("query"), "messages": {"total": len(found), "matches": [*matches], "paging": paging}}


def _fits(ask: Ask, channel: Channel, message: Message, word: str) -> bool:
    modifier, _, value = word.partition(":")
    match modifier:
        case "in" if value:
            return value.lstrip("#") in (channel.name, channel.id)
        case "from" if value:
            return value.lstrip("@") in (ask.person(message.user).name, message.user)
    return word.strip('"').lower() in message.text.lower()


def message_shape(channel: Channel, message: Message) -> Shape:
    """A message object."""
    shape: Shape = {"type": "message", "ts": message.ts, "user": message.user, "text": message.text, "team": TEAM_ID}
    if message.by_bot:
        shape |= {"bot_id": BOT_ID, "app_id": APP_ID}
    if message.subtype or message.broadcast:
        shape["subtype"] = message.subtype or "thread_broadcast"
    below = [one for one in channel.messages if one.thread_ts == message.ts and one.ts != message.ts]
    if message.thread_ts:
        shape["thread_ts"] = message.thread_ts
    if below:
        shape |= {"thread_ts": message.ts, "reply_count": len(below), "latest_reply": below[-1].ts}
        shape |= {"reply_users_count": len({one.user for one in below}), "subscribed": False}
    if message.edited_by:
        shape["edited"] = {"user": message.edited_by, "ts": message.ts}
    if message.reactions:
        shape["reactions"] = [
            {"name": name, "users": [*users], "count": len(users)} for name, users in message.reactions.items()
        ]
    return shape


def _place(ask: Ask) -> Channel:
    """Where to post: a channel the caller is in, or the direct message with a person."""
    told = ask.needed("channel", "channel_not_found")
    if told[0] in "UW":
        person = ask.person(told) if ask.hub.world.person(told) else None
        if person is None or person.is_bot:
            raise Refused("channel_not_found")
        return ask.hub.world.direct(told, ask.hub.now())
    return ask.open_channel()


def _text(ask: Ask) -> str:
    text = ask.needed("text", "no_text")
    if len(text) > _LONGEST_TEXT:
        raise Refused("msg_too_long")
    return text


def _thread(ask: Ask) -> str:
    """Slack takes any thread_ts; one of nothing makes a plain message."""
    told = ask.text("thread_ts")
    channel = ask.hub.world.channel(ask.text("channel"))
    return told if channel and any(one.ts == told for one in channel.messages) else ""


def _own(ask: Ask, refusal: str) -> tuple[Channel, Message]:
    channel = ask.channel()
    message = _message(channel, ask.text("ts"), "message_not_found")
    if message.user != ask.user:
        raise Refused(refusal)
    return channel, message


def _readable(ask: Ask) -> Channel:
    channel = ask.channel()
    if ask.user not in channel.members:
        raise Refused("not_in_channel")
    return channel


def _message(channel: Channel, ts: str, error: str) -> Message:
    found = next((one for one in channel.messages if one.ts == ts), None)
    if found is None:
        raise Refused(error)
    return found


def _within(ask: Ask, message: Message) -> bool:
    """Between `oldest` and `latest`, both left out themselves unless `inclusive`."""
    try:
        oldest, latest = float(ask.text("oldest") or 0), float(ask.text("latest") or "inf")
    except ValueError:
        raise Refused("invalid_ts_oldest") from None
    moment = float(message.ts)
    return oldest <= moment <= latest if ask.flag("inclusive") else oldest < moment < latest
