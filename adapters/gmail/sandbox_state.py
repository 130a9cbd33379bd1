"""What the Gmail sandbox remembers, and what it knows when it is new. Everybody in it is invented."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP
from typing import Final

from pydantic import BaseModel, Field, JsonValue

from adapters._kit.sandbox_google import GooglePerson, GoogleWorld, google_oauth, google_people
from adapters._kit.sandbox_oauth import OAuthClient
from adapters.gmail.scopes import COMPOSE, CONTACTS, CONTACTS_READ, LABELS, MODIFY, READ, SEND

#: What the consent page says, in words of its own.
SCOPE_WORDS: Final = {
    READ: "View your email messages and settings",
    SEND: "Send email on your behalf",
    COMPOSE: "Manage drafts and send emails",
    MODIFY: "Read, compose, and send emails from your account",
    LABELS: "See and edit your email labels",
    "https://www.googleapis.com/auth/gmail.metadata": "View your email message metadata, but not the body",
    CONTACTS: "See, edit, download, and permanently delete your contacts",
    CONTACTS_READ: "See and download your contacts",
}
CONTAINS: Final[dict[str, set[str]]] = {
    MODIFY: {READ, COMPOSE, SEND, LABELS},
    COMPOSE: {SEND},
    CONTACTS: {CONTACTS_READ},
}
SYSTEM_LABELS: Final = ("INBOX", "SENT", "DRAFT", "TRASH", "SPAM", "UNREAD", "STARRED", "IMPORTANT")

_BEGINNING_MS = 1_768_208_400_000  # 2026-01-12T09:00:00Z
_HOUR_MS = 3_600_000


class Message(BaseModel):
    """A message as it was received. `raw` is RFC 5322 in base64url, `internal_date` in epoch milliseconds."""

    id: str
    thread_id: str
    labels: list[str]
    internal_date: int
    raw: str
    draft_id: str | None = None

    @property
    def source(self) -> bytes:
        """The message itself."""
        return urlsafe_b64decode(self.raw)


class UserLabel(BaseModel):
    """A label that somebody made."""

    id: str
    name: str
    more: dict[str, JsonValue] = Field(default_factory=dict)


class Mailbox(BaseModel):
    """One person's mail. Messages are in the order of their arrival."""

    messages: dict[str, Message] = Field(default_factory=dict)
    labels: dict[str, UserLabel] = Field(default_factory=dict)

    def newest_first(self) -> list[Message]:
        """Every message."""
        return sorted(self.messages.values(), key=lambda each: (each.internal_date, each.id), reverse=True)

    def knows_label(self, label: str) -> bool:
        """Gmail's own, or one that was made."""
        return label in SYSTEM_LABELS or label in self.labels


class ContactCard(BaseModel):
    """A contact: `fields` are members of a Person as they were written."""

    id: str
    version: int
    fields: dict[str, JsonValue]

    @property
    def etag(self) -> str:
        """Changes with every change."""
        return "%" + urlsafe_b64encode(f"{self.id}.{self.version}".encode()).decode()


class World(GoogleWorld):
    """All of it, by the person's number. `warmed` is what a search of contacts sees: Google searches a cache."""

    last_id: int = 0x19A0_0000_0000_0000
    mailboxes: dict[str, Mailbox] = Field(default_factory=dict)
    contacts: dict[str, dict[str, ContactCard]] = Field(default_factory=dict)
    warmed: dict[str, list[str]] = Field(default_factory=dict)

    def new_id(self) -> str:
        """Sixteen hexadecimal digits that nothing else has."""
        self.last_id += 0x1_0001
        return f"{self.last_id:016x}"

    def mailbox(self, person: GooglePerson) -> Mailbox:
        """Theirs; an empty one when they have none yet."""
        return self.mailboxes.setdefault(person.sub, Mailbox())

    def cards(self, person: GooglePerson) -> dict[str, ContactCard]:
        """Their contacts."""
        return self.contacts.setdefault(person.sub, {})


def seeded_world(clients: list[OAuthClient] | None = None) -> World:
    """Mara has mail in several forms, a label and contacts; Jon has an empty mailbox."""
    people = google_people()
    every = [READ, SEND, COMPOSE, MODIFY, LABELS, CONTACTS, CONTACTS_READ]
    world = World(oauth=google_oauth(every, clients), people=people)
    mara = people[0]
    box = world.mailbox(mara)
    box.labels["Label_1"] = UserLabel(id="Label_1", name="Invoices")
    first = _seed(world, box, mara, _tides(), ["INBOX"], 0)
    _seed(world, box, mara, _answer_to_tides(), ["SENT"], 2, thread=first.thread_id)
    _seed(world, box, mara, _invoice(), ["INBOX", "UNREAD", "Label_1"], 26)
    _seed(world, box, mara, _newsletter(), ["INBOX", "UNREAD"], 30)
    world.mailbox(people[1])
    _seed_contacts(world, mara)
    return world


def _seed(
    world: World,
    box: Mailbox,
    owner: GooglePerson,
    message: EmailMessage,
    labels: Sequence[str],
    hours: int,
    *,
    thread: str | None = None,
) -> Message:
    number = world.new_id()
    if "To" not in message:
        message["To"] = f"{owner.name} <{owner.email}>"
    message["Message-ID"] = f"<{number}@mail.harbour.example>"
    kept = Message(
        id=number,
        thread_id=thread or number,
        labels=[*labels],
        internal_date=_BEGINNING_MS + hours * _HOUR_MS,
        raw=urlsafe_b64encode(message.as_bytes(policy=SMTP)).decode(),
    )
    box.messages[number] = kept
    return kept


def _written(sender: str, subject: str, text: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["Subject"] = subject
    message.set_content(text)
    return message


def _tides() -> EmailMessage:
    words = "Mara,\n\nhigh water on Saturday is at 06:12. Shall we cast off before?\n\nGrüße\nJon\n"
    return _written("Jon Reef <jon@harbour.example>", "Tide on Saturday", words)


def _answer_to_tides() -> EmailMessage:
    message = _written("Mara Keel <mara@harbour.example>", "Re: Tide on Saturday", "Yes, at half past five.\n")
    message["To"] = "Jon Reef <jon@harbour.example>"
    return message


def _invoice() -> EmailMessage:
    message = _written(
        "Chandlery <billing@chandlery.example>", "Invoice 2026-014: rope and paint für Mara", "See the files.\n"
    )
    message.add_alternative("<p>See the <b>files</b>.</p>", subtype="html")
    lines = "item,euro\nrope,84.00\npaint,31.50\n"
    message.add_attachment(lines.encode(), maintype="text", subtype="csv", filename="invoice-2026-014.csv")
    message.add_attachment(
        b"%PDF-1.4 practice", maintype="application", subtype="pdf", filename="Rechnung für Mara.pdf"
    )
    return message


def _newsletter() -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = "Harbour News <news@harbour.example>"
    message["Subject"] = "The slipway opens again"
    body = (
        "<html><head><style>p {color: navy}</style><title>News</title></head>"
        "<body><h1>Slipway</h1><p>It opens on&nbsp;Monday.</p><p>Bring your boat.</p></body></html>"
    )
    message.set_content(body, subtype="html")
    return message


def _seed_contacts(world: World, owner: GooglePerson) -> None:
    people = [
        ("Jon", "Reef", "jon@harbour.example", "+49 40 5550 102", "Harbour Office"),
        ("Ines", "Vale", "ines@sailworks.example", "+49 431 5550 177", "Sailworks"),
        ("Olu", "Pike", "olu@chandlery.example", "+44 20 5550 0199", "Chandlery"),
    ]
    for given, family, email, phone, organization in people:
        number = f"c{7300 + len(world.cards(owner)) + 1}"
        fields: dict[str, JsonValue] = {
            "names": [{"givenName": given, "familyName": family}],
            "emailAddresses": [{"value": email}],
            "phoneNumbers": [{"value": phone}],
            "organizations": [{"name": organization}],
        }
        world.cards(owner)[number] = ContactCard(id=number, version=1, fields=fields)
