"""Ranking actions by what people say: an index in memory over every action of the catalogue.

Okapi BM25 over weighted fields (BM25F: S. Robertson and H. Zaragoza, "The Probabilistic Relevance Framework", 2009,
section 3.6): a word in an action's name or title says more than one in its description. People's words and ours meet in
`words.toml`: words that mean the same, words that lead to others, words that say nothing. Nothing here knows callers.
"""

import itertools
import math
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path

from domain.catalogue import Action, Catalogue, Effect, Integration

_WORDS = Path(__file__).parent / "words.toml"
_PIECE = re.compile(r"[a-z0-9]+")
#: How much a word counts by where it stands, and how soon more of it adds little (BM25's k1).
_NAME, _TITLE, _SERVICE, _BODY, _PARAMETER = 2.2, 2.6, 1.4, 0.5, 0.35
_SATURATION = 1.6
_LENGTH = 0.25
#: What a word brings when it is not the one that was said but one that it leads to.
_LED_TO = 0.65
#: Two words that stand side by side in the question and in a title are more than each of them.
_SIDE_BY_SIDE = 0.8
#: A question that asks to be told is hardly ever answered by changing something.
_NOT_ASKED_FOR = 0.75
#: Who names a service hardly means another one.
_OTHER_SERVICE = 0.5
_LONGEST_QUESTION = 400
_MOST_WORDS = 32


@dataclass(frozen=True, slots=True)
class Match:
    """An action and how well it fits, from 0 to 1."""

    action: Action
    score: float


@dataclass(frozen=True, slots=True)
class Words:
    """What `words.toml` says, with every word cut to its stem."""

    silent: frozenset[str]
    asking: frozenset[str]
    articles: frozenset[str]
    phrases: Mapping[tuple[str, ...], tuple[str, ...]]
    leads_to: Mapping[str, Mapping[str, float]]


@dataclass(slots=True)
class _Entry:
    action: Action
    weights: dict[str, float] = field(default_factory=dict)
    pairs: frozenset[tuple[str, str]] = frozenset()


class Index:
    """Every action of a catalogue, ready to be ranked. Build it once; asking takes well under a millisecond."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._words = read_words()
        self._entries = [
            _entry(self._words, integration, action)
            for integration in catalogue.integrations.values()
            for action in integration.actions.values()
        ]
        self._places: dict[str, list[tuple[int, float]]] = {}
        for place, entry in enumerate(self._entries):
            for word, weight in entry.weights.items():
                self._places.setdefault(word, []).append((place, weight / (weight + _SATURATION)))

        self._services = _naming(catalogue, self._entries)

    def rank(self, question: str) -> list[Match]:
        """What fits at all, the best first; equals by name."""
        told = stems(question[:_LONGEST_QUESTION])[:_MOST_WORDS]
        said, is_asking = self._words_of(told), bool(told) and told[0] in self._words.asking
        best, total = self._scores(said)
        named = {slug for word in said for slug in self._services.get(word, ())}
        pairs = set(itertools.pairwise(said))
        found: list[Match] = []
        for place, by_word in best.items():
            entry = self._entries[place]
            score = sum(by_word.values()) / total
            score += _SIDE_BY_SIDE * len(pairs & entry.pairs) / (len(said) + 1)
            if is_asking and entry.action.effect is not Effect.READ:
                score *= _NOT_ASKED_FOR
            if named and entry.action.integration not in named:
                score *= _OTHER_SERVICE
            found.append(Match(entry.action, min(round(score, 4), 1.0)))
        return sorted(found, key=lambda match: (-match.score, match.action.effect, match.action.slug))

    def _words_of(self, told: list[str]) -> list[str]:
        words = _phrased(self._words, told)
        telling = [word for word in words if word not in self._words.silent]
        return telling or words

    def _scores(self, said: list[str]) -> tuple[dict[int, dict[str, float]], float]:
        """By place and word of the question what it brings there, and what would be everything."""
        best: dict[int, dict[str, float]] = {}
        total = 0.0
        for word in dict.fromkeys(said):
            ways = {word: 1.0, **self._words.leads_to.get(word, {})}
            rarity = max(self._rarity(way) * weight for way, weight in ways.items())
            total += rarity
            for way, weight in ways.items():
                for place, strength in self._places.get(way, ()):
                    brought = weight * strength * rarity
                    by_word = best.setdefault(place, {})
                    if brought > by_word.get(word, 0.0):
                        by_word[word] = brought
        return best, total or 1.0

    def _rarity(self, word: str) -> float:
        """A word that few actions have tells more. One that none has tells that something was not understood."""
        among, having = len(self._entries), len(self._places.get(word, ()))
        return math.log(1 + (among - having + 0.5) / (having + 0.5)) if having else 1.0


def stems(text: str) -> list[str]:
    """The words of a text in lower case, each without the endings that only grammar puts there."""
    return [_stem(piece) for piece in _PIECE.findall(text.casefold().replace("e-mail", "email"))]


@cache
def read_words() -> Words:
    """The data. Read once."""
    told = tomllib.loads(_WORDS.read_text())
    leads: dict[str, dict[str, float]] = {}
    for group in told["same"]:
        for word, other in ((a, b) for a in map(_stem, group) for b in map(_stem, group) if a != b):
            leads.setdefault(word, {})[other] = 1.0
    for word, others in told["leads_to"].items():
        for other in others:
            leads.setdefault(_stem(word), {}).setdefault(_stem(other), _LED_TO)
    return Words(
        silent=frozenset(map(_stem, told["silent"])),
        asking=frozenset(map(_stem, told["asking"])),
        articles=frozenset(map(_stem, told["articles"])),
        phrases={tuple(stems(phrase)): tuple(stems(meant)) for phrase, meant in told["phrases"].items()},
        leads_to=leads,
    )


def _phrased(words: Words, said: list[str]) -> list[str]:
    """Without articles, and with phrases replaced by what they mean, the longest first."""
    found: list[str]
    plain = [word for word in said if word not in words.articles]
    said, found, at = plain or said, [], 0
    while at < len(said):
        for length in range(min(4, len(said) - at), 1, -1):
            meant = words.phrases.get(tuple(said[at : at + length]))
            if meant is not None:
                found += meant
                at += length
                break
        else:
            found.append(said[at])
            at += 1
    return found


def _entry(words: Words, integration: Integration, action: Action) -> _Entry:
    title = _phrased(words, stems(action.title))
    name = stems(action.slug.partition(".")[2])
    body = _phrased(words, stems(action.description.partition("\n")[2]))
    fields: Iterable[tuple[float, int, list[str]]] = (
        (_NAME, 3, name),
        (_TITLE, 7, title),
        (_SERVICE, 2, stems(f"{integration.name} {integration.slug}")),
        (_BODY, 40, body),
        (_PARAMETER, 6, [stem for each in action.parameter_names for stem in stems(each)]),
    )
    weights: dict[str, float] = {}
    for weight, usual, its in fields:
        share = weight / (1 - _LENGTH + _LENGTH * len(its) / usual)  # in a long text one word says less (BM25's b)
        for word, often in Counter(its).items():
            weights[word] = weights.get(word, 0.0) + share * (1 + math.log(often))
    told = [word for word in title if word not in words.silent]
    named = [word for word in name if word not in words.silent]
    pairs = frozenset((*itertools.pairwise(told), *itertools.pairwise(named)))
    return _Entry(action, weights, pairs)


def _naming(catalogue: Catalogue, entries: Iterable[_Entry]) -> dict[str, set[str]]:
    """The words that name services: those of their names that no other service's titles use."""
    found: dict[str, set[str]] = {}
    for integration in catalogue.integrations.values():
        for word in stems(f"{integration.name} {integration.slug}"):
            found.setdefault(word, set()).add(integration.slug)
    for entry in entries:
        for word in stems(entry.action.title):
            if word in found and entry.action.integration not in found[word]:
                del found[word]
    return found


@lru_cache(maxsize=8_192)
def _stem(word: str) -> str:
    """A light stem: plurals, -ing, -ed and -ment of deployment. Both sides are cut alike, so it need not be grammar."""
    if len(word) > 4 and word.endswith("ies"):
        word = word[:-3] + "y"
    elif len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-2] if word.endswith(("sses", "xes", "ches", "shes")) else word[:-1]
    for ending, least in (("ing", 3), ("ed", 3), ("ment", 5)):
        if word.endswith(ending) and len(word) - len(ending) >= least:
            word = word[: -len(ending)]
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    return word[:-1] if len(word) > 4 and word.endswith("e") else word
