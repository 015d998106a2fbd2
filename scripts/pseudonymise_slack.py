"""Copy a Slack workspace export, with people's names, handles and pictures replaced by pseudonyms.

A pseudonym follows from the user id alone (and from which other ids are in the export, so that no
two people share a handle): every run gives the same copy. Replaced everywhere: user records,
``<@U...|handle>`` labels, texts that name a person in words, the names in attachments and in links
to files, addresses of profiles (``twitter.com/<handle>``), personal web hosts, e-mail addresses,
phone numbers, pictures, file tokens. Kept: message times, all ids, structure, counts, subtypes,
edits, reactions. Even the white space of the JSON files is kept: only strings change.

People outside the workspace get a pseudonym as well if they are the author of an unfurled link, in
an ``@mention`` or in the address of a profile. Names that a text merely cites (of a book's author)
stay, unless they are also the name of somebody in the workspace.

    python scripts/pseudonymise_slack.py SRC DST          # write DST, then check it
    python scripts/pseudonymise_slack.py --check SRC DST  # list what survived; exit 1 if any did
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Part = Literal["first", "last", "full", "handle"]

FIRST_NAMES = """
Adela Alina Alvar Amara Anders Anouk Anselm Arlo Astrid Aurel Basil Beata Benno Birgit Bodil
Boris Bruna Caspar Cecily Celia Clemens Cora Corin Dagny Dalia Damaris Dario Delia Dorian Edda
Edwin Eline Elio Elsa Emeric Enno Erna Esme Evander Fabian Faye Felix Fenna Fiora Florian Freya
Gaia Gerda Gideon Gilda Greta Gunnar Hagen Hanno Hedda Helga Henrik Hilda Hugo Ida Igor Ilka
Imke Ines Ingo Irina Iris Isolde Ivo Jakob Jana Jasper Jonna Jorun Juno Kaja Kasimir Katja Klara
Knut Konrad Lasse Leif Lena Leonie Linus Livia Lorena Lothar Luca Ludo Magda Maren Marit Matteo
Maxim Meike Milan Mina Mirko Nadja Nele Nils Nora Odin Olaf Olga Oskar Otis Paola Paula Petra
Quentin Ragna Ramona Renata Rikard Roland Romy Rufus Sanna Selma Signe Silas Sofia Sonja Sverre
Tabea Tamsin Thea Tilda Tobias Ulla Ursula Valentin Vera Viggo Viola Wanda Wilma Xenia Yara Yvo
Zelda
""".split()  # noqa: SIM905

LAST_NAMES = """
Aldana Ahlberg Almasi Amberg Andrade Arkell Ashdown Bachman Balint Barlow Beaumont Bellini
Berglund Bjarne Blomqvist Boateng Borodin Bremer Brisco Calloway Cardoso Castell Chandra Corvino
Dahlin Danforth Delacroix Demir Dietrich Dobrev Dunmore Eastlake Edelman Ekholm Elster Engstrom
Erikson Farkas Fellner Ferrante Fielding Forsberg Galanis Gardner Gersten Gilmour Granger
Gustafsson Haas Halloran Hartwell Hedlund Hofmann Holloway Horvath Huber Ibarra Ingram Isaksen
Ivanov Jablonski Jansen Jarvis Jensen Juhasz Kallio Karras Keller Kessler Kimura Kovacs Krause
Kristof Lachance Langley Larsen Laurent Lefevre Lindqvist Lombardi Lundgren Maddox Marchetti
Marlowe Mendez Meyers Mori Nakata Navarro Nemeth Nilsson Norberg Novak Nyberg Oakes Ojala Okafor
Olsen Orlov Ostrander Pacheco Palmgren Pascal Petrov Pinter Popescu Quist Radcliffe Rasmussen
Reinholt Richter Rossi Sandoval Santoro Schaefer Selander Silva Sorensen Stavros Sundberg Szabo
Takeda Tanaka Thorne Tolland Ulrich Valdez Varga Vasquez Vogel Wahlberg Westergaard Whitlock
Winther Yamada Zelenka Zimmer
""".split()  # noqa: SIM905

TITLES = ("Analyst", "Engineer", "Student", "Designer", "Researcher", "Consultant", "Developer")

EXEMPT = {
    "back": "an English word that is also a family name; replaced only beside its first name",
}
"""Single words that stay as they are, each with the reason."""

ORGANISATIONS = frozenset(
    """
    houstondatavis uwdata ayasdi d3jsia mapsense-examples atgoogletalks bocoupllc
    arstechnicavideos visualized visfest visfestwest commentary commentaryqz dc-js gephi
    googletrends mbtaviz msysgit rescience rstudio try events pages groups
    """.split()  # noqa: SIM905
) | {"talks at google", "ars technica videos"}
"""Account and author names that are no person's; in lower case."""

ALIASES: dict[str, tuple[str, Part]] = {
    "009f2c835573fb35": ("U065ETZEC", "handle"),
    "080b3bc3d4193dc2": ("person-10", "first"),
    "0cf2409c76ac403b": ("U065ETZEC", "first"),
    "11b8afb8f12e3984": ("person-2", "first"),
    "133bbf943b51e03e": ("person-1", "first"),
    "29732d03ee043f90": ("person-10", "last"),
    "2ea011bae68c8e59": ("person-4", "first"),
    "33594707f9fae717": ("person-6", "first"),
    "35c67224142f86b3": ("person-7", "first"),
    "3b74d78ad45efe89": ("person-9", "last"),
    "3fa814b227dfa89c": ("person-9", "first"),
    "541af1c56f37e9fa": ("person-1", "last"),
    "54e3d425cf1d7aa9": ("U066H4AKX", "handle"),
    "6f4fabdd17f75992": ("person-11", "handle"),
    "809a721743350c0c": ("U06U9C8Q7", "first"),
    "8bc597b569e32076": ("U065ETZEC", "first"),
    "9bb96ff042904507": ("U064SRKPD", "handle"),
    "9cda0159d0854832": ("person-2", "last"),
    "ba0c15efcdf8de0b": ("U066H4AKX", "handle"),
    "cc72a2757bb1bb70": ("person-5", "first"),
    "ce1b62267dead327": ("person-3", "first"),
    "cef705c4e0ecbe54": ("U17KXSB7W", "first"),
    "d5b47c749cb0d715": ("person-10", "first"),
    "db605e8f71913d1f": ("person-8", "first"),
    "efb5a5ad7522096c": ("person-7", "first"),
}
"""Nicknames that no user record holds: ``digest`` of the exact word -> (user or person, part).

Hashes, so that this file does not spell the names. Ids that begin with "person" are people outside
the workspace.
"""

KEPT_KEYS = frozenset(
    """
    bot_id channel channel_id channels created creator date deleted_ts editor external_type
    filetype id inviter item_type last_editor last_set latest_reply members mimetype mode
    owner parent_user_id pretty_type service_id state subtype team_id thread_ts timestamp ts
    type tz tz_label user user_id users
    """.split()  # noqa: SIM905
)
"""Strings under these keys are ids, times and types: never changed."""

_EMAIL = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.(?!png|jpg|gif)[A-Za-z]{2,}"
_URL = r"https?:(?:\\?/){2}[^\s<>|\"'\\]+"
_LABEL = r"<@(?P<uid>[UW][A-Z0-9]+)\|[^>]*>"
_PHONE = r"(?<![\w.-])(?:\+\d{1,3}[ .-]?)?\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?![\w-])"
_TOKEN = re.compile(r"xox[a-z]-[A-Za-z0-9-]+")
_PIECE = re.compile(
    f"(?P<label>{_LABEL})|(?P<email>{_EMAIL})|(?P<url>{_URL})|(?P<phone>{_PHONE})"
    r"|(?<![\w.@<])@(?P<mention>[A-Za-z]\w+)"
)
_AVATAR = re.compile(
    r"https?://(?:[\w-]+\.)*(?:gravatar\.com/avatar|avatars\d*\.githubusercontent\.com"
    r"|pbs\.twimg\.com/profile_images|avatars\.slack-edge\.com)/"
)
_PROFILE = re.compile(
    r"https?://(?:www\.|gist\.|mobile\.)?(?:(?:github|twitter|facebook|instagram|slideshare|bl\.ocks)"
    r"\.(?:com|net|org)/|linkedin\.com/in/|youtube\.com/user/|public\.tableau\.com/profile/"
    r"|medium\.com/@|vimeo\.com/(?=[A-Za-z]))(?P<handle>[A-Za-z][A-Za-z0-9_-]*)(?=[/#?]|$)"
)
_PAGES_HOST = re.compile(r"(?P<handle>[\w-]+)\.github\.io$")
_REMOTE_ID = re.compile(r"(?<![A-Za-z0-9])(?:[0-9]{6,}|[0-9a-f]{16,40})(?![A-Za-z0-9])")
_CHANNEL_ID = re.compile(r"(?<=youtube\.com/channel/)[\w-]+")
_REFERENCE = re.compile(r"<[@#!][^|>]*|\b[UW][A-Z0-9]{8}\b")
_WORD = r"[^\W_]+"
_TLD = r"\.(?:com|net|org|io|me|info|co)(?![^\W_])"
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_NAME_KEYS = ("real_name", "real_name_normalized", "first_name", "last_name")
_SEPARATORS = (" ", ".", "_", "-", "")


@dataclass(frozen=True)
class Pseudonym:
    """The invented person who stands for a real one."""

    first: str
    last: str

    @property
    def full(self) -> str:
        """Return first and last name."""
        return f"{self.first} {self.last}"

    @property
    def handle(self) -> str:
        """Return the handle. Its dot is legal in no Twitter or GitHub name: it can be nobody's."""
        return f"{self.first}.{self.last}".lower()

    @property
    def host(self) -> str:
        """Return a web host of this person, under the reserved name ``invalid``."""
        return f"{self.first}-{self.last}.example.invalid".lower()

    @property
    def email(self) -> str:
        """Return an e-mail address under the reserved name ``invalid``."""
        return f"{self.handle}@example.invalid"


def digest(text: str, digits: int = 16) -> str:
    """Return the first hexadecimal digits of the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def avatar_url(key: str) -> str:
    """Return the address of the picture that stands for the one of ``key``."""
    return f"https://avatars.example.invalid/{digest('avatar:' + key)}.png"


def pseudonyms(user_ids: Iterable[str], others: Iterable[str] = ()) -> dict[str, Pseudonym]:
    """Return a pseudonym for each id: no shared handle, no shared first name while any is left.

    The names of the users do not depend on ``others``.
    """
    given: dict[str, Pseudonym] = {}
    firsts: set[str] = set()
    lasts: set[str] = set()
    for key in [*sorted(set(user_ids)), *sorted(set(others))]:
        seed = int(digest(key), 16)
        if len(firsts) == len(FIRST_NAMES):
            firsts.clear()
        if len(lasts) == len(LAST_NAMES):
            lasts.clear()
        first = _next_free(FIRST_NAMES, seed, firsts)
        last = _next_free(LAST_NAMES, seed // len(FIRST_NAMES), lasts)
        given[key] = Pseudonym(first, last)
    handles = Counter(name.handle for name in given.values())
    if clash := [handle for handle, count in handles.items() if count > 1]:
        raise ValueError(f"the lists of names are too short: {clash} given twice")
    return given


def _next_free(names: list[str], start: int, taken: set[str]) -> str:
    """Return the first name at or after ``start``, round the list, that is not taken; take it."""
    index = start % len(names)
    while names[index] in taken:
        index = (index + 1) % len(names)
    taken.add(names[index])
    return names[index]


# --- reading an export --------------------------------------------------------------------------


def export_files(root: Path) -> list[Path]:
    """Return the JSON files of an export in a fixed order, relative to its root."""
    return sorted(path.relative_to(root) for path in root.rglob("*.json"))


def load(path: Path) -> Any:
    """Return the value of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield (key, text) of every string value, in the order of the document."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, list):
        for item in value:
            yield from strings(item, key)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from strings(item, name)


def dicts(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in a JSON value, outermost first."""
    if isinstance(value, dict):
        yield value
    for item in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from dicts(item)


def name_words(user: dict[str, Any]) -> tuple[str, str]:
    """Return first and last name, from the profile or else from a handle like ``ann.lee``."""
    profile = user.get("profile", {})
    first, last = profile.get("first_name") or "", profile.get("last_name") or ""
    if not (first or last):
        words = (profile.get("real_name") or user.get("real_name") or "").split()
        words = words or re.split(r"[._-]", user["name"])
        if len(words) > 1:
            first, last = words[0], words[-1]
    return first.strip(), last.strip()


def other_handles(user: dict[str, Any]) -> list[str]:
    """Return the accounts elsewhere that a profile names."""
    profile = user.get("profile", {})
    fields = profile.get("fields") or {}
    values = [field.get("value") for field in fields.values()] + [profile.get("skype")]
    return [value for value in values if value and value != "REDACTED"]


def _names(user: dict[str, Any]) -> list[str]:
    """Return everything by which a user record names its person."""
    names = [user["name"], user.get("real_name"), *map(user.get("profile", {}).get, _NAME_KEYS)]
    return [name for name in (*names, *name_words(user), *other_handles(user)) if name]


# --- replacing ----------------------------------------------------------------------------------


class Pseudonymiser:
    """Replaces the people of one export. Build it from all files, then call :meth:`copy_of`."""

    def __init__(self, users: list[dict[str, Any]], documents: list[Any]) -> None:
        """Collect who there is: the users, and the people whom the documents name by an account."""
        self._users = {user["id"]: user for user in users}
        accounts, authors = _outsiders(documents)
        insiders = {word.lower() for user in users for word in _names(user)}
        accounts = {a for a in accounts if a not in insiders and digest(a) not in ALIASES}
        persons = {owner for owner, _ in ALIASES.values()} - self._users.keys()
        self._people = pseudonyms(self._users, accounts | set(authors.values()) | persons)
        self._emails = {
            user["profile"]["email"]: self._people[user["id"]].email
            for user in users
            if user.get("profile", {}).get("email")
        }
        self._words: dict[str, tuple[Pseudonym, Part]] = {}
        self._short: set[str] = set()
        for account in sorted(accounts):
            self._learn(account, self._people[account], "handle")
        for author, account in sorted(authors.items()):
            self._learn_name(author, self._people[account])
        written = Counter(
            text for document in documents for key, text in strings(document) if key == "user"
        )
        for user in sorted(users, key=lambda user: (written[user["id"]], user["id"])):
            self._learn_user(user)  # the busiest last: a shared first name most likely means them
        alternatives = sorted(self._words, key=lambda word: (-len(word), word))
        self._pattern = re.compile(
            rf"(?<![^\W_])(?P<word>{'|'.join(map(re.escape, alternatives))})(?![^\W_])"
            rf"(?P<tld>{_TLD})?"
            rf"|(?P<other>{_WORD})",
            re.IGNORECASE,
        )

    def _learn(self, word: str, person: Pseudonym, part: Part) -> None:
        """Note that a word means a person, unless it is a single letter or an exempt word."""
        if len(word) < 2 or word.endswith(".") or word.lower() in EXEMPT:
            return
        if len(word) < 4 and part != "handle":
            self._short.add(word.lower())
        self._words[word.lower()] = (person, part)

    def _learn_name(self, name: str, person: Pseudonym) -> None:
        """Note a full name in all the ways in which it may be joined."""
        words = name.split()
        for separator in _SEPARATORS if len(words) > 1 else ():
            self._learn(separator.join(words), person, "full" if separator == " " else "handle")

    def _learn_user(self, user: dict[str, Any]) -> None:
        person = self._people[user["id"]]
        first, last = name_words(user)
        for word in last.split():
            self._learn(word, person, "last")
        for word in first.split():
            self._learn(word, person, "first")
        self._learn_name(f"{first} {last}", person)
        handle = user["name"]
        unnamed = not first and handle.isalpha()  # then the handle is all there is to call them by
        self._learn(handle, person, "first" if unnamed or handle == first.lower() else "handle")
        for other in other_handles(user):
            self._learn(other, person, "handle")

    def _meaning(self, match: re.Match[str]) -> tuple[Pseudonym, Part] | None:
        """Return whom a matched word means, if anyone."""
        word = match[0] if match["other"] else match["word"]
        if match["word"] and (word.lower() not in self._short or word[0].isupper()):
            return self._words[word.lower()]
        alias = ALIASES.get(_digest_of_word(word))
        return (self._people[alias[0]], alias[1]) if alias else None

    def _words_in(self, text: str, *, in_url: bool = False) -> str:
        """Replace the names in a text, or in the path of an address: there, account names."""

        def replace(match: re.Match[str]) -> str:
            meaning = self._meaning(match)
            if meaning is None:
                return match[0]
            person, part = meaning
            if match["tld"] and not in_url:
                return person.host
            around = text[: match.start()][-1:], text[match.end() :][:1]
            account = in_url and around[0] in "/" and around[1] in "/?#"
            if part == "handle" or account:
                return person.handle + (match["tld"] or "")
            return _in_case_of(match[0], getattr(person, part)) + (match["tld"] or "")

        return self._pattern.sub(replace, text)

    def _url(self, url: str) -> str:
        """Replace the people in an address."""
        if _AVATAR.match(url):
            return avatar_url(url.partition("?")[0])
        scheme, _, rest = url.partition("://")
        host, slash, path = rest.partition("/")
        pages = _PAGES_HOST.match(host)
        if pages and pages["handle"].lower() in self._people:
            host = self._people[pages["handle"].lower()].host
        else:
            meanings = [who for m in self._pattern.finditer(host) if (who := self._meaning(m))]
            host = meanings[0][0].host if meanings else host
        new = f"{scheme}://{host}{slash}{self._words_in(path, in_url=True)}"
        if (_PROFILE.match(url) and new != url) or "//gist.github.com/" in url:
            new = _REMOTE_ID.sub(lambda match: _like(match[0]), new)
        return _CHANNEL_ID.sub(lambda match: digest(match[0], 24), new)

    def text(self, text: str) -> str:
        """Replace the people in any text."""
        text = _TOKEN.sub("REDACTED", text)
        out: list[str] = []
        end = 0
        for match in _PIECE.finditer(text):
            out.append(self._words_in(text[end : match.start()]))
            out.append(self._piece(match))
            end = match.end()
        out.append(self._words_in(text[end:]))
        return "".join(out)

    def _piece(self, match: re.Match[str]) -> str:
        if match["label"]:
            uid = match["uid"]
            person = self._people.get(uid)
            return f"<@{uid}|{person.handle}>" if person else self._words_in(match[0])
        if match["email"]:
            return self._email(match[0])
        if match["url"]:
            return self._url(match[0])
        if match["phone"]:
            return _phone(match[0])
        return self._words_in(match[0])

    def _email(self, address: str) -> str:
        return self._emails.get(address) or f"person-{digest(address, 8)}@example.invalid"

    def user(self, user: dict[str, Any]) -> dict[str, Any]:
        """Return a user record about the pseudonym; what was absent or empty stays so."""
        person = self._people[user["id"]]
        new = {**user, "name": person.handle}
        for key in ("real_name", "status"):
            new[key] = _about(person, key, user.get(key)) if key in user else None
            if key not in user:
                del new[key]
        new["profile"] = {
            key: self._profile_field(user["id"], person, key, value)
            for key, value in user.get("profile", {}).items()
        }
        return new

    def _profile_field(self, uid: str, person: Pseudonym, key: str, value: Any) -> Any:
        if key == "fields" and value:
            return {
                name: {k: person.handle if k == "value" and v else v for k, v in field.items()}
                for name, field in value.items()
            }
        if key == "avatar_hash":
            return digest("avatar:" + uid, 12)
        if key.startswith("image_") and isinstance(value, str):
            return avatar_url(uid)
        return _about(person, key, value)

    def value(self, value: Any, key: str = "", parent: dict[str, Any] | None = None) -> Any:
        """Return a JSON value without its people."""
        if isinstance(value, dict):
            return {name: self.value(item, name, value) for name, item in value.items()}
        if isinstance(value, list):
            return [self.value(item, key, parent) for item in value]
        if not isinstance(value, str) or (key in KEPT_KEYS and "@" not in value):
            return value
        if key == "user_name" and parent and parent.get("user_id") in self._people:
            return self._people[parent["user_id"]].handle
        if key in ("username", "author_subname") and re.fullmatch(r"[\w.-]+", value):
            return self._words_in(value, in_url=True)
        return self.text(value)

    def copy_of(self, path: Path, raw: str) -> str:
        """Return the text of one file of the export, with only its strings changed."""
        old = json.loads(raw)
        new = [self.user(user) for user in old] if path.name == "users.json" else self.value(old)
        tokens = zip(_tokens(old), _tokens(new), strict=True)

        def replace(match: re.Match[str]) -> str:
            before, after = next(tokens)
            return match[0] if before == after else json.dumps(after).replace("/", "\\/")

        return _STRING.sub(replace, raw)


@functools.cache
def _digest_of_word(word: str) -> str:
    return digest(word)


def _outsiders(documents: list[Any]) -> tuple[set[str], dict[str, str]]:
    """Return the named accounts (lower case), and author -> account of the unfurled links."""
    accounts: set[str] = set()
    authors: dict[str, str] = {}
    for document in documents:
        for _, text in strings(document):
            for match in _PIECE.finditer(text):
                url, mention = match["url"], match["mention"]
                profile = _PROFILE.match(url) if url else None
                pages = _PAGES_HOST.match(url.split("/")[2]) if url else None
                accounts |= {m["handle"].lower() for m in (profile, pages) if m}
                accounts |= {mention.lower()} if mention else set()
        for item in dicts(document):
            if author := item.get("author_name"):
                name = author.removeprefix("By ")
                account = str(item.get("author_subname") or name).lstrip("@").lower()
                authors[name] = account
    accounts -= ORGANISATIONS
    authors = {name: account for name, account in authors.items() if account not in ORGANISATIONS}
    return accounts, {name: a for name, a in authors.items() if name.lower() not in ORGANISATIONS}


def _in_case_of(old: str, new: str) -> str:
    """Return ``new`` in capitals or small letters like ``old``."""
    if len(old) > 3 and old.isupper():
        return new.upper()
    return new if old[0].isupper() else new.lower()


def _like(old: str) -> str:
    """Return another id of the same length and alphabet."""
    number = int(hashlib.sha256(old.encode()).hexdigest(), 16)
    return (str(number) if old.isdigit() else f"{number:064x}")[: len(old)]


def _phone(key: str) -> str:
    """Return a telephone number of the range that is kept for fiction."""
    return f"+1 555 0{100 + int(digest(key), 16) % 100}"


def _about(person: Pseudonym, key: str, value: Any) -> Any:
    """Return what a user record says under ``key``, were it about the pseudonym."""
    if not value or not isinstance(value, str):
        return value
    if key in ("real_name", "real_name_normalized", "display_name", "display_name_normalized"):
        return person.full if len(value.split()) > 1 else person.first
    answers: dict[str, Callable[[], str]] = {
        "first_name": lambda: person.first,
        "last_name": lambda: person.last,
        "email": lambda: person.email,
        "skype": lambda: person.handle,
        "phone": lambda: _phone(person.handle),
        "title": lambda: TITLES[int(digest(person.handle), 16) % len(TITLES)],
        "status": lambda: "",
        "status_text": lambda: "",
    }
    return answers[key]() if key in answers else value


def _tokens(value: Any) -> Iterator[str]:
    """Yield every string of a JSON value, keys included, in the order of the document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _tokens(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _tokens(item)


def convert(source: Path, target: Path) -> int:
    """Write the pseudonymised copy; return the number of files."""
    files = export_files(source)
    users = load(source / "users.json")
    documents = [load(source / path) for path in files if path.name != "users.json"]
    people = Pseudonymiser(users, documents)
    for path in files:
        copy = people.copy_of(path, (source / path).read_text(encoding="utf-8"))
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_text(copy, encoding="utf-8", newline="")
    return len(files)


# --- checking -----------------------------------------------------------------------------------


def original_words(users: list[dict[str, Any]]) -> set[str]:
    """Return the words of four letters and more that name the users, in lower case."""
    words: set[str] = set()
    for name in (name.lower() for user in users for name in _names(user)):
        words |= {name, name.replace(" ", ""), *re.split(r"[ ._-]+", name)}
    return {word for word in words if len(word) >= 4} - EXEMPT.keys()


def survivors(words: set[str], target: Path) -> list[str]:
    """Return where any of the words still stands in the files as a whole word; "_" ends a word."""
    ordered = sorted(words, key=lambda word: (-len(word), word))
    pattern = re.compile(
        rf"(?<![^\W_])(?:{'|'.join(map(re.escape, ordered))})(?![^\W_])", re.IGNORECASE
    )
    return [
        f"{path}: {key}: {match[0]}"
        for path in export_files(target)
        for key, text in strings(load(target / path))
        for match in pattern.finditer(text)
    ]


def leaks(target: Path) -> list[str]:
    """Return what a pseudonymised export must not hold, whoever its people were."""
    found: list[str] = []
    for path in export_files(target):
        for key, text in strings(load(target / path)):
            emails = [m for m in re.findall(_EMAIL, text) if not m.endswith("@example.invalid")]
            phones = (
                [m for m in re.findall(_PHONE, text) if "555" not in m]
                if "http" not in text
                else []
            )
            pictures = [text] if _AVATAR.search(text) else []
            found += [
                f"{path}: {key}: {m}" for m in emails + phones + pictures + _TOKEN.findall(text)
            ]
    users = load(target / "users.json")
    names = pseudonyms(user["id"] for user in users)
    for user in users:
        expected, profile = names[user["id"]], user["profile"]
        allowed = {"", None, expected.first, expected.last, expected.full}
        given = {user.get("real_name"), *(profile.get(key) for key in _NAME_KEYS)}
        if user["name"] != expected.handle or given - allowed:
            found.append(f"users.json: {user['id']}: not the pseudonym of this id")
        for key, value in profile.items():
            if key.startswith("image_") and value != avatar_url(user["id"]):
                found.append(f"users.json: {user['id']}: {key}")
    return found


def differences(source: Path, target: Path) -> list[str]:
    """Return where the copy differs in more than names: files, structure, ids, times, numbers."""
    if export_files(source) != export_files(target):
        return ["the two folders do not hold the same files"]
    return [
        f"{path}: {where}"
        for path in export_files(source)
        for where in _unlike(load(source / path), load(target / path), "")
    ]


def _unlike(old: Any, new: Any, key: str) -> Iterator[str]:
    if type(old) is not type(new):
        yield f"{key}: {type(old).__name__} became {type(new).__name__}"
    elif isinstance(old, dict):
        if list(old) != list(new):
            yield f"{key}: other keys"
        for name in old.keys() & new.keys():
            yield from _unlike(old[name], new[name], name)
    elif isinstance(old, list):
        if len(old) != len(new):
            yield f"{key}: {len(old)} items became {len(new)}"
        for one, other in zip(old, new, strict=False):
            yield from _unlike(one, other, key)
    elif old != new and (not isinstance(old, str) or key in KEPT_KEYS):
        yield f"{key}: a kept value changed"
    elif isinstance(old, str) and _REFERENCE.findall(old) != _REFERENCE.findall(new):
        yield f"{key}: refers to other people or channels"


def check(source: Path, target: Path) -> list[str]:
    """Return everything that is wrong with a copy; empty if it is good."""
    words = original_words(load(source / "users.json"))
    return [*survivors(words, target), *leaks(target), *differences(source, target)]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Pseudonymise a Slack workspace export.")
    parser.add_argument("source", type=Path, metavar="SRC", help="folder of the unpacked export")
    parser.add_argument("target", type=Path, metavar="DST", help="folder of the copy")
    parser.add_argument("--check", action="store_true", help="only list what survived in DST")
    options = parser.parse_args(arguments)
    if not (options.source / "users.json").is_file():
        parser.error(f"{options.source} holds no users.json")
    if not options.check:
        print(f"{convert(options.source, options.target)} files written")
    problems = check(options.source, options.target)
    print(*problems, f"{len(problems)} survivors and differences", sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
