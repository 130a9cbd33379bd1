"""Outlook calendars and contacts in the sandbox, and who is busy when."""

from datetime import UTC, datetime, timedelta

from pydantic import JsonValue
from starlette.routing import Route

from adapters.microsoft365.sandbox_api import Answer, Ask, Refused, graph_route, invalid, mail_not_found
from adapters.microsoft365.sandbox_state import Calendar, Contact, Event, Hub, Invited, Person, Shape, World

_BUSY = {"free": "0", "tentative": "1", "busy": "2", "oof": "3", "workingElsewhere": "4"}


def calendar_routes(hub: Hub) -> list[Route]:
    """All of them, and the account and its contacts."""
    read, write = "Calendars.Read", "Calendars.ReadWrite"
    one, inside = "/me/events/{event}", "/me/calendars/{calendar}"
    return [
        graph_route(hub, "GET", "/me", lambda ask: ask.one(person_shape(ask.person)), "User.Read"),
        graph_route(hub, "GET", "/me/contacts", _contacts, "Contacts.Read"),
        graph_route(hub, "GET", "/me/calendars", _calendars, read),
        graph_route(hub, "GET", "/me/calendarView", _view, read),
        graph_route(hub, "GET", f"{inside}/calendarView", _view, read),
        graph_route(hub, "POST", "/me/events", _create, write),
        graph_route(hub, "POST", f"{inside}/events", _create, write),
        graph_route(hub, "POST", "/me/calendar/getSchedule", _schedule, "Calendars.ReadBasic"),
        graph_route(hub, "GET", one, lambda ask: ask.one(event_shape(ask.world, _event(ask))), read),
        graph_route(hub, "PATCH", one, _update, write),
        graph_route(hub, "DELETE", one, _delete, write),
    ]


def person_shape(person: Person) -> Shape:
    """A user as Graph writes it by default."""
    first, _, last = person.name.partition(" ")
    return {
        "id": person.id,
        "displayName": person.name,
        "givenName": first,
        "surname": last,
        "jobTitle": person.title,
        "mail": person.mail,
        "userPrincipalName": person.mail,
        "businessPhones": [],
        "preferredLanguage": "en-GB",
    }


def event_shape(world: World, event: Event) -> Shape:
    """An event as Graph writes it."""
    owner = world.person(event.owner)
    join: Shape | None = {"joinUrl": event.join_url} if event.join_url else None
    return {
        "@odata.etag": f'W/"{event.id}"',
        "id": event.id,
        "subject": event.subject,
        "bodyPreview": event.content[:255],
        "body": {"contentType": "text", "content": event.content},
        "start": {"dateTime": f"{event.start}.0000000", "timeZone": "UTC"},
        "end": {"dateTime": f"{event.end}.0000000", "timeZone": "UTC"},
        "isAllDay": event.is_all_day,
        "location": {"displayName": event.location},
        "organizer": {"emailAddress": {"name": owner.name, "address": owner.mail}} if owner else None,
        "attendees": [_attendee(world, each) for each in event.invited],
        "isOnlineMeeting": event.join_url is not None,
        "onlineMeeting": join,
        "showAs": event.show_as,
        "isCancelled": False,
        "reminderMinutesBeforeStart": event.reminder,
        "transactionId": event.transaction,
        "type": "singleInstance",
        "webLink": f"https://outlook.office.example/calendar/{event.id}",
    }


def _attendee(world: World, invited: Invited) -> Shape:
    person = world.person(invited.address)
    name = person.name if person else invited.address
    status: Shape = {"response": invited.answer, "time": "0001-01-01T00:00:00Z"}
    return {"type": invited.kind, "status": status, "emailAddress": {"name": name, "address": invited.address}}


def _contacts(ask: Ask) -> Answer:
    return ask.listed([_contact_shape(one) for one in ask.world.contacts if one.owner == ask.person.id])


def _contact_shape(contact: Contact) -> Shape:
    return {
        "id": contact.id,
        "displayName": contact.name,
        "emailAddresses": [{"name": contact.name, "address": each} for each in contact.mail],
        "businessPhones": [*contact.phones],
        "mobilePhone": None,
        "companyName": contact.company,
        "jobTitle": "",
    }


def _mine(ask: Ask) -> list[Calendar]:
    return [one for one in ask.world.calendars if one.owner == ask.person.id]


def _calendar(ask: Ask) -> Calendar:
    """The calendar of the path, or the default one. Raises Refused."""
    wanted = ask.request.path_params.get("calendar")
    found = next((one for one in _mine(ask) if (one.is_default if wanted is None else one.id == wanted)), None)
    if found is None:
        raise mail_not_found()
    return found


def _calendars(ask: Ask) -> Answer:
    owner: Shape = {"name": ask.person.name, "address": ask.person.mail}
    return ask.listed(
        [
            {"id": one.id, "name": one.name, "isDefaultCalendar": one.is_default, "canEdit": True, "owner": owner}
            for one in _mine(ask)
        ]
    )


def _view(ask: Ask) -> Answer:
    begin, end = _asked_moment(ask.query("startDateTime")), _asked_moment(ask.query("endDateTime"))
    calendar = _calendar(ask).id
    found = [one for one in ask.world.events if one.calendar == calendar and one.start < end and one.end > begin]
    return ask.listed([event_shape(ask.world, one) for one in found])


def _event(ask: Ask) -> Event:
    """The event of the path. Raises Refused."""
    calendars = {one.id for one in _mine(ask)}
    found = (one for one in ask.world.events if one.id == ask.path("event") and one.calendar in calendars)
    event = next(found, None)
    if event is None:
        raise mail_not_found()
    return event


def _create(ask: Ask) -> Answer:
    calendar, told = _calendar(ask), ask.body
    transaction = ask.text("transactionId") or None
    known = next((one for one in ask.world.events if transaction and one.transaction == transaction), None)
    if known is not None:
        message = "The TransactionId specified in the request has already been used to create a different event."
        raise Refused(409, "ErrorDuplicateTransactionId", f"Your request can't be completed. {message}")
    if not {"start", "end"} <= told.keys():
        raise Refused(400, "ErrorPropertyValidationFailure", "At least one property failed validation.")
    event = Event(
        id=ask.world.new_id("evt"),
        owner=ask.person.id,
        calendar=calendar.id,
        subject="",
        start="",
        end="",
        transaction=transaction,
    )
    _change(ask, event)
    ask.world.events.append(event)
    return ask.one(event_shape(ask.world, event), 201)


def _update(ask: Ask) -> Answer:
    event = _event(ask)
    _change(ask, event)
    return ask.one(event_shape(ask.world, event))


def _delete(ask: Ask) -> Answer:
    ask.world.events.remove(_event(ask))
    return Answer(status=204)


def _change(ask: Ask, event: Event) -> None:
    """Put what the body says on the event. Raises Refused."""
    told = ask.body
    event.start = _told_moment(told["start"]) if "start" in told else event.start
    event.end = _told_moment(told["end"]) if "end" in told else event.end
    if event.end <= event.start:
        raise Refused(400, "ErrorPropertyValidationFailure", "The end of an event is not after its start.")
    event.subject, event.show_as = ask.text("subject", event.subject), ask.text("showAs", event.show_as)
    event.is_all_day = told.get("isAllDay", event.is_all_day) is True
    if isinstance(location := told.get("location"), dict):
        event.location = str(location.get("displayName", ""))
    if isinstance(body := told.get("body"), dict):
        event.content, event.content_type = str(body.get("content", "")), str(body.get("contentType", "text"))
    if isinstance(reminder := told.get("reminderMinutesBeforeStart"), int):
        event.reminder = reminder
    if isinstance(attendees := told.get("attendees"), list):
        event.invited = [_invited(each) for each in attendees]
    if told.get("isOnlineMeeting") is True and event.join_url is None:
        event.join_url = f"https://teams.example/l/meetup-join/{event.id.strip('=')}"


def _invited(told: JsonValue) -> Invited:
    address = told.get("emailAddress") if isinstance(told, dict) else None
    if not isinstance(told, dict) or not isinstance(address, dict) or not address.get("address"):
        raise invalid("An attendee has no address.")
    return Invited(address=str(address["address"]), kind=str(told.get("type", "required")))


def _schedule(ask: Ask) -> Answer:
    """The availability of people of the sandbox; others are not known here."""
    begin, end = _told_moment(ask.body.get("StartTime")), _told_moment(ask.body.get("EndTime"))
    asked, minutes = ask.body.get("Schedules"), ask.body.get("AvailabilityViewInterval", 30)
    if not isinstance(asked, list) or not isinstance(minutes, int) or not 5 <= minutes <= 1440 or end <= begin:
        raise Refused(400, "ErrorInvalidParameter", "The schedules, the times or the interval are not valid.")
    step = timedelta(minutes=minutes)
    return Answer({"value": [_availability(ask.world, str(each), begin, end, step) for each in asked]})


def _availability(world: World, address: str, begin: str, end: str, step: timedelta) -> Shape:
    person = world.person(address)
    if person is None:
        unknown: Shape = {"message": "The address could not be resolved.", "responseCode": "ErrorMailRecipientNotFound"}
        return {"scheduleId": address, "availabilityView": "", "scheduleItems": [], "error": unknown}
    mine = {one.id for one in world.calendars if one.owner == person.id}
    events = [one for one in world.events if one.calendar in mine]
    view, moment, last = "", datetime.fromisoformat(begin), datetime.fromisoformat(end)
    while moment < last:
        sooner, later = moment.isoformat(), (moment + step).isoformat()
        view += max((_BUSY[one.show_as] for one in events if one.start < later and one.end > sooner), default="0")
        moment += step
    return {"scheduleId": address, "availabilityView": view, "scheduleItems": []}


def _asked_moment(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(400, "ErrorInvalidParameter", "A date and time of the query is not valid.") from None
    return _without_zone(moment)


def _told_moment(told: JsonValue) -> str:
    """In UTC: the sandbox knows no other zone."""
    if not isinstance(told, dict) or told.get("timeZone") != "UTC":
        raise Refused(400, "TimeZoneNotSupportedException", "A valid time zone must be specified; here it is UTC.")
    try:
        return _without_zone(datetime.fromisoformat(str(told.get("dateTime"))))
    except ValueError:
        raise Refused(400, "ErrorInvalidParameter", "A date and time is not valid.") from None


def _without_zone(moment: datetime) -> str:
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware.strftime("%Y-%m-%dT%H:%M:%S")
