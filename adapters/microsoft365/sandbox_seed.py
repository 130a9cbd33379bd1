"""What a new Microsoft 365 sandbox holds: three colleagues at a harbour office, their mail, meetings and files."""

import base64
from datetime import UTC, datetime, timedelta

from adapters._kit.sandbox_oauth import FixedToken, OAuthClient
from adapters.microsoft365.sandbox_state import (
    TOKEN_ADA,
    TOKEN_ADA_PROFILE,
    TOKEN_BEN,
    AttachedFile,
    Calendar,
    Channel,
    Chat,
    Contact,
    Event,
    Invited,
    Item,
    Mail,
    Person,
    Said,
    Team,
    World,
)

CLIENT_ID = "mandate-sandbox"
CLIENT_SECRET = "mandate-sandbox-secret"  # printed on purpose

ADA = Person(
    id="0a000000-0000-4000-8000-000000000001", name="Ada Quay", mail="ada@harbour.example", title="Harbour master"
)
BEN = Person(id="0a000000-0000-4000-8000-000000000002", name="Ben Tide", mail="ben@harbour.example", title="Pilot")
CLEO = Person(
    id="0a000000-0000-4000-8000-000000000003", name="Cleo Mole", mail="cleo@harbour.example", title="Accounts"
)
TEAM_ID = "0b000000-0000-4000-8000-000000000001"
CHANNEL_ID = "19:harbour-general@thread.tacv2"
CHAT_ID = "19:harbour-pilots@thread.v2"

_BEGINNING = "2026-01-12T09:00:00Z"


def seeded_world(everything: list[str], now: float, clients: list[OAuthClient] | None = None) -> World:
    """A new world. `everything` are all scopes there are; meetings lie in the days after `now` (epoch seconds)."""
    default = OAuthClient(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, name="Mandate (sandbox)", any_loopback=True)
    world = World(people=[one.model_copy() for one in (ADA, BEN, CLEO)])
    world.oauth.clients = [default] if clients is None else clients
    world.oauth.fixed_tokens = [
        FixedToken(token=TOKEN_ADA, account=ADA.id, scopes=everything),
        FixedToken(token=TOKEN_BEN, account=BEN.id, scopes=everything),
        FixedToken(token=TOKEN_ADA_PROFILE, account=ADA.id, scopes=["User.Read"]),
    ]
    _seed_mail(world)
    _seed_calendars(world, datetime.fromtimestamp(now, UTC))
    _seed_teams(world)
    _seed_files(world)
    return world


def _seed_mail(world: World) -> None:
    plan = AttachedFile(
        id="att-000001=", name="berths.csv", media_type="text/csv", content=_encoded("berth,ship\n7,Ilse\n")
    )
    _mail(world, 1, "conv-berth=", "Berth 7 on Thursday", "Can the Ilse have berth 7 on Thursday?", BEN, [ADA], [plan])
    _mail(world, 2, "conv-berth=", "RE: Berth 7 on Thursday", "She can, from ten o'clock.", ADA, [BEN], [])
    _mail(world, 3, "conv-fees=", "Harbour fees of January", "Two invoices are still open.", CLEO, [ADA, BEN], [])
    _mail(world, 4, "conv-fog=", "Fog warning", "Thick fog until noon. Pilots stay ashore.", BEN, [ADA], [])


def _mail(
    world: World,
    day: int,
    conversation: str,
    subject: str,
    text: str,
    sender: Person,
    to: list[Person],
    files: list[AttachedFile],
) -> None:
    """Filed with the sender and in everybody's inbox; Ada has read the first day's."""
    at = f"2026-01-{12 + day:02d}T08:30:00Z"
    for owner in (sender, *to):
        world.mail.append(
            Mail(
                id=world.new_id("msg"),
                owner=owner.id,
                folder="sentitems" if owner is sender else "inbox",
                conversation=conversation,
                subject=subject,
                content=text,
                sender=sender.mail,
                to=[one.mail for one in to],
                at=at,
                is_read=owner is sender or day == 1,
                files=files,
            )
        )


def _seed_calendars(world: World, now: datetime) -> None:
    for number, person in enumerate((ADA, BEN, CLEO), start=1):
        world.calendars.append(Calendar(id=f"cal-{number:06d}=", owner=person.id, name="Calendar", is_default=True))
    world.calendars.append(Calendar(id="cal-000009=", owner=ADA.id, name="Tides"))
    tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    _event(world, "cal-000001=", ADA, "Morning round", tomorrow, 9, 10, [])
    _event(world, "cal-000001=", ADA, "Berth planning", tomorrow, 13, 14, [BEN])
    _event(world, "cal-000002=", BEN, "Pilot duty", tomorrow, 10, 12, [])
    world.contacts = [
        Contact(id="con-000001=", owner=ADA.id, name="Otto O'Brien", mail=["otto@ropes.example"], company="Ropes & Co"),
        Contact(id="con-000002=", owner=ADA.id, name="Pia Lock", mail=["pia@locks.example"], phones=["+49 40 5550100"]),
    ]


def _event(
    world: World,
    calendar: str,
    owner: Person,
    subject: str,
    day: datetime,
    begins: int,
    ends: int,
    people: list[Person],
) -> None:
    form = "%Y-%m-%dT%H:%M:%S"
    world.events.append(
        Event(
            id=world.new_id("evt"),
            owner=owner.id,
            calendar=calendar,
            subject=subject,
            start=day.replace(hour=begins).strftime(form),
            end=day.replace(hour=ends).strftime(form),
            invited=[Invited(address=one.mail, answer="accepted") for one in people],
        )
    )


def _seed_teams(world: World) -> None:
    everybody = [ADA.id, BEN.id, CLEO.id]
    world.teams = [Team(id=TEAM_ID, name="Harbour office", description="All who work here.", members=everybody)]
    world.channels = [
        Channel(id=CHANNEL_ID, team=TEAM_ID, name="General"),
        Channel(id="19:harbour-arrivals@thread.tacv2", team=TEAM_ID, name="Arrivals"),
    ]
    world.chats = [Chat(id=CHAT_ID, kind="group", topic="Pilots", members=[ADA.id, BEN.id], at=_BEGINNING)]
    for number, (author, text) in enumerate(((BEN, "Who is on duty?"), (ADA, "You are."), (BEN, "Aye.")), start=1):
        said = Said(
            id=str(1_768_000_000_000 + number),
            place=CHAT_ID,
            author=author.id,
            content=text,
            content_type="text",
            at=_BEGINNING,
        )
        world.said.append(said)


def _seed_files(world: World) -> None:
    for number, person in enumerate((ADA, BEN, CLEO), start=1):
        world.items.append(Item(id=f"top-{number}", owner=person.id, name="root", parent=None, at=_BEGINNING))
    offers = Item(id="item-offers", owner=ADA.id, name="Offers 2026", parent="top-1", at=_BEGINNING)
    tides = Item(
        id="item-tides", owner=ADA.id, name="tides.txt", parent="top-1", at=_BEGINNING, media_type="text/plain"
    )
    tides.content = _encoded("High water at six.\n")
    offer = Item(
        id="item-offer", owner=ADA.id, name="ropes.pdf", parent=offers.id, at=_BEGINNING, media_type="application/pdf"
    )
    offer.content = _encoded("%PDF-1.7 not really\n")
    world.items += [offers, tides, offer]


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
