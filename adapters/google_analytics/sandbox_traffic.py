"""The invented visits of the Google Analytics sandbox: the same for the same day, more on weekdays, slowly growing.

Simpler than the real thing: nobody visits twice, so visitors of several days add up, and every visit sees one page
path as often as it has page views.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from hashlib import sha256

_CHANNELS = {
    "Organic Search": ("google / organic", "(organic)", 0.45),
    "Direct": ("(direct) / (none)", "(direct)", 0.3),
    "Email": ("newsletter / email", "tide-letter", 0.15),
    "Organic Social": ("social.example / social", "(social)", 0.1),
}
_PLACES = {
    "Netherlands": ("Rotterdam", "nl-nl", 0.5),
    "Germany": ("Hamburg", "de-de", 0.3),
    "Portugal": ("Porto", "pt-pt", 0.2),
}
_DEVICES = {"mobile": ("Safari", "iOS", 0.6), "desktop": ("Chrome", "Windows", 0.4)}
_PAGES = {"/": ("Harbour", 0.4), "/berths": ("Berths", 0.3), "/prices": ("Prices", 0.2), "/contact": ("Contact", 0.1)}
_EVENTS = {
    "page_view": 1.0,
    "session_start": 0.5,
    "first_visit": 0.2,
    "scroll": 0.4,
    "berth_booked": 0.03,
    "sign_up": 0.05,
}
_ORIGIN = date(2024, 1, 1)


@dataclass(frozen=True)
class Visits:
    """Some visits that have everything in common. `fields` are by the API's names of dimensions."""

    fields: Mapping[str, str]
    sessions: int
    new: int
    views: int
    engaged: int
    seconds: int

    def events(self) -> dict[str, int]:
        """How often each event came in."""
        return {name: round(self.views * share) for name, share in _EVENTS.items()}


@lru_cache(maxsize=2000)
def visits_of(day: date, size: float) -> tuple[Visits, ...]:
    """All visits of one day to a property of this size (1.0: some 900 a day)."""
    return tuple(_visits_of(day, size))


def _visits_of(day: date, size: float) -> Iterator[Visits]:
    year, week, weekday = day.isocalendar()
    base = 900 * size * (1.1 if weekday < 6 else 0.7) * (1 + (day - _ORIGIN).days / 2000)
    when = {"date": f"{day:%Y%m%d}", "isoYearIsoWeek": f"{year}{week:02}", "yearMonth": f"{day:%Y%m}"}
    for channel, (source, campaign, by_channel) in _CHANNELS.items():
        for country, (city, language, by_country) in _PLACES.items():
            for device, (browser, system, by_device) in _DEVICES.items():
                for page, (title, by_page) in _PAGES.items():
                    share = by_channel * by_country * by_device * by_page
                    sessions = round(base * share * _chance(f"{day}{channel}{country}{device}{page}"))
                    fields = {
                        **when,
                        "sessionDefaultChannelGroup": channel,
                        "sessionSourceMedium": source,
                        "sessionCampaignName": campaign,
                        "country": country,
                        "city": city,
                        "language": language,
                        "deviceCategory": device,
                        "browser": browser,
                        "operatingSystem": system,
                        "pagePath": page,
                        "pageTitle": title,
                        "landingPage": page,
                        "unifiedScreenName": title,
                        "platform": "web",
                    }
                    yield _visits(fields, sessions, on_phone=device == "mobile")


def _visits(fields: Mapping[str, str], sessions: int, *, on_phone: bool) -> Visits:
    views, engaged = sessions * (2 if on_phone else 3), round(sessions * (0.55 if on_phone else 0.7))
    return Visits(fields, sessions, round(sessions * 0.4), views, engaged, engaged * (70 if on_phone else 130))


def _chance(text: str) -> float:
    """Between 0.7 and 1.3, the same for the same text."""
    return 0.7 + 0.6 * sha256(text.encode()).digest()[0] / 255
