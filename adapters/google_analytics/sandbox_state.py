"""What the Google Analytics sandbox remembers, and what it knows when it is new. Everybody in it is invented."""

from typing import Literal

from pydantic import BaseModel, Field

from adapters._kit.sandbox_google import GoogleRefused, GoogleWorld, google_oauth, google_people

READ = "https://www.googleapis.com/auth/analytics.readonly"
EDIT = "https://www.googleapis.com/auth/analytics.edit"
SCOPES = {
    READ: "See and download your Google Analytics data",
    EDIT: "Edit Google Analytics management entities",
}
HARBOUR, TIDES = "310000001", "310000002"  # Mara edits the first and only reads the second
WEB_STREAM = "510000001"

BEGINNING = "2025-03-01T09:00:00Z"


class Stream(BaseModel):
    """A website or an app. `data` is the member for its kind, as the API writes it."""

    id: str
    kind: str
    name: str
    member: str
    data: dict[str, str]
    created_at: str = BEGINNING


class KeyEvent(BaseModel):
    """An event that counts. Google's own cannot be deleted."""

    id: str
    event_name: str
    counting: str
    created_at: str = BEGINNING
    custom: bool = True
    worth: tuple[float, str] | None = None


class CustomField(BaseModel):
    """A custom dimension or metric, as the API writes it."""

    kind: Literal["customDimensions", "customMetrics"]
    told: dict[str, str | list[str]]


class Rule(BaseModel):
    """An event create rule; `told` is the JSON it was made with."""

    stream: str
    told: str


class Property(BaseModel):
    """A property, who may see it, and all that belongs to it. `roles` are by the number of the person."""

    id: str
    account: str
    name: str
    size: float
    roles: dict[str, Literal["viewer", "editor"]]
    streams: list[Stream] = Field(default_factory=list)
    key_events: list[KeyEvent] = Field(default_factory=list)
    custom: list[CustomField] = Field(default_factory=list)
    rules: list[Rule] = Field(default_factory=list)
    audiences: list[str] = Field(default_factory=list)


class World(GoogleWorld):
    """All of it."""

    last_id: int = 900_000_000
    accounts: dict[str, str] = Field(default_factory=dict)
    properties: list[Property] = Field(default_factory=list)

    def new_id(self) -> str:
        """A number nothing else has."""
        self.last_id += 1
        return str(self.last_id)

    def visible_to(self, sub: str) -> list[Property]:
        """The properties that somebody may see."""
        return [each for each in self.properties if sub in each.roles]


def seeded_world() -> World:
    """Two accounts, three properties, a website with two key events."""
    mara, jon = google_people()
    harbour = Property(
        id=HARBOUR,
        account="210000001",
        name="Harbour Office",
        size=1.0,
        roles={mara.sub: "editor", jon.sub: "viewer"},
        streams=[_web(WEB_STREAM, "Website", "https://harbour-office.example", "G-HARBOUR001")],
        key_events=[
            KeyEvent(id="610000001", event_name="purchase", counting="ONCE_PER_EVENT", custom=False),
            KeyEvent(id="610000002", event_name="berth_booked", counting="ONCE_PER_EVENT", worth=(35.0, "EUR")),
        ],
    )
    tides = Property(id=TIDES, account="210000001", name="Tide Tables", size=0.3, roles={mara.sub: "viewer"})
    reef = Property(id="310000003", account="210000002", name="Reef Diving", size=0.1, roles={jon.sub: "editor"})
    return World(
        people=[mara, jon],
        oauth=google_oauth([*SCOPES]),
        accounts={"210000001": "Harbour", "210000002": "Reef"},
        properties=[harbour, tides, reef],
    )


def _web(id: str, name: str, address: str, measurement: str) -> Stream:
    data = {"measurementId": measurement, "defaultUri": address}
    return Stream(id=id, kind="WEB_DATA_STREAM", name=name, member="webStreamData", data=data)


def invalid(message: str) -> GoogleRefused:
    """400. These APIs give no older reasons."""
    return GoogleRefused(400, "INVALID_ARGUMENT", message)


def not_found() -> GoogleRefused:
    """404."""
    return GoogleRefused(404, "NOT_FOUND", "Requested entity was not found.")
