"""The workspace and its people in the Slack sandbox."""

from adapters.slack.sandbox_api import Ask, Method, Refused, Shape
from adapters.slack.sandbox_state import BOT_ID, TEAM_ID, TEAM_NAME, Person


def people_methods() -> dict[str, Method]:
    """All methods of this module."""
    return {
        "auth.test": Method(test),
        "auth.revoke": Method(revoke, writes=True),
        "users.info": Method(show, ("users:read",)),
        "users.list": Method(list_all, ("users:read",)),
        "users.lookupByEmail": Method(look_up, ("users:read", "users:read.email")),
    }


def test(ask: Ask) -> Shape:
    """auth.test: whose token this is."""
    known = ask.person(ask.user)
    told: Shape = {
        "url": f"{ask.root}/",
        "team": TEAM_NAME,
        "team_id": TEAM_ID,
        "user": known.name,
        "user_id": known.id,
        "is_enterprise_install": False,
    }
    return {**told, "bot_id": BOT_ID} if ask.by_bot else told


def revoke(ask: Ask) -> Shape:
    """auth.revoke: ends the token that it is called with; `test` only tries."""
    if ask.flag("test"):
        return {"revoked": False}
    ask.hub.world.oauth.ended.add(ask.access.key)
    return {"revoked": True}


def show(ask: Ask) -> Shape:
    """users.info"""
    return {"user": person_shape(ask, ask.person(ask.text("user")))}


def list_all(ask: Ask) -> Shape:
    """users.list: also apps and those who have left."""
    page, following = ask.cursored(ask.hub.world.people)
    return {
        "members": [person_shape(ask, one) for one in page],
        "cache_ts": int(ask.hub.now()),
        "response_metadata": {"next_cursor": following},
    }


def look_up(ask: Ask) -> Shape:
    """users.lookupByEmail: not those who have left."""
    email = ask.text("email").lower()
    found = next((one for one in ask.hub.world.people if one.email == email and email and not one.deleted), None)
    if found is None:
        raise Refused("users_not_found")
    return {"user": person_shape(ask, found)}


def person_shape(ask: Ask, person: Person) -> Shape:
    """A user object; the address only with the scope for it."""
    profile: Shape = {
        "title": person.title,
        "real_name": person.real_name,
        "real_name_normalized": person.real_name,
        "display_name": person.name,
        "display_name_normalized": person.name,
        "avatar_hash": "sandbox",
        "phone": "",
        "skype": "",
        "status_text": "",
        "status_emoji": "",
        "fields": {},
        "team": TEAM_ID,
    }
    if person.email and "users:read.email" in ask.access.scopes:
        profile["email"] = person.email
    return {
        "id": person.id,
        "team_id": TEAM_ID,
        "name": person.name,
        "real_name": person.real_name,
        "deleted": person.deleted,
        "color": "1f5f4a",
        "tz": person.tz,
        "profile": profile,
        "is_admin": person.id == "U0LIN",
        "is_owner": person.id == "U0LIN",
        "is_bot": person.is_bot,
        "is_app_user": False,
        "updated": 1_768_208_400,
    }
