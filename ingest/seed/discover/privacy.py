"""Which columns hold secrets or personal data: by name, type and a sample of texts.

A rule without a server: what it is sure of gets a class, what it is not is a question
(`undecided`), which a person answers and which consumers see as nothing until then.
The names, in five languages, are in `privacy.yml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from ingest.seed import beside
from ingest.seed.metadata import UNDECIDED, target_name, words

Texts = Sequence[str]

# Families of types that may hold anything.
_OPEN = ("text", "binary", "json", "place")
# A varchar that is at least so long may hold a sentence, if no sample shows what it
# holds; a text of so many words is one.
_LONG = 100
_WORDS = 4


def _family(kind: str) -> str:
    name = kind.partition("(")[0]
    return {
        "varchar": "text",
        "integer": "number",
        "bigint": "number",
        "decimal": "number",
        "double": "number",
        "timestamp": "date",
        "timestamptz": "date",
        "geometry": "place",
    }.get(name, name)


# What stands between two words of a name: nothing, or `de`, as in `mot_de_passe`.
_BETWEEN = r"_?(?:(?:de|del|di|du|des|da|d|of|la|l)_?)*"
_SPELT = {" ": _BETWEEN, "#": "(o|r|um)", "ä": "ae?", "ö": "oe?", "ü": "ue?"}


def _names(of: str | dict[str, str]) -> re.Pattern[str]:
    """Names of privacy.yml: a regular expression, or stems and whole words."""
    if isinstance(of, str):
        return re.compile(of, re.VERBOSE)
    stems = of["stems"].split(", ") if "stems" in of else []
    found = ["".join(_SPELT.get(c, c) for c in stem) for stem in stems]
    if "words" in of:
        found.append(f"(^|_)({'|'.join(of['words'].split())})(_|$)")
    return re.compile("|".join(found))


# A class, families of types that it is looked for in, and names.
_Named = tuple[str, str, re.Pattern[str]]


_FILE = beside.facts(__file__)
_NAMES, _IN_PEOPLE, _IN_SECRETS = (
    tuple((of["class"], of["families"], _names(of)) for of in _FILE[name])
    for name in ("classes", "in_people", "in_secrets")
)
_OF_SECRETS, _PEOPLE, _DELICATE, _AMBIGUOUS, _WHO, _ABOUT, _REFERS, _OF_PERSONS = (
    _names(_FILE[name])
    for name in (
        "of_secrets people delicate ambiguous who about refers of_persons".split()
    )
)
_HEX = re.compile(r"([0-9a-f]{2}){16,64}|([0-9A-F]{2}){16,64}")
_CREDENTIAL = re.compile(
    # A hash in the forms that crypt, Django, LDAP and MySQL write
    r"\$[\w-]+\$\S+|\w+\$\d+\$\S+\$\S+|\{\w+\}[\w+/=]{16,}|\*[0-9A-F]{40}"
    # JSON web tokens, keys of cloud providers and code forges, PEM
    r"|eyJ[\w-]+\.[\w-]+(\.[\w-]*)?|(AKIA|ASIA)[A-Z0-9]{16}|gh[a-z]_\w{30,}"
    r"|glpat-[\w-]+|(sk|pk|rk)_(live|test)_\w+|xox[a-z]-[\w-]+|sk-[\w-]{20,}"
    r"|-----BEGIN [A-Z ]+-----.*",
    re.DOTALL,
)
_RANDOM = re.compile(r"[\w+/=.~-]{24,}")
_NUMBER = re.compile(r"[\d -]{13,23}")
_LOOKS_LIKE = {
    "email": re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+"),
    "id": re.compile(
        # IBAN; addresses of IP, 4 and 6, and of network cards; an American SSN
        r"[A-Z]{2}\d{2} ?([A-Z0-9]{4} ?){2,7}[A-Z0-9]{1,4}|(\d{1,3}\.){3}\d{1,3}"
        r"|(?=(.*:){2})[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*|([0-9A-Fa-f]{2}-){5}[0-9A-Fa-f]{2}"
        r"|\d{3}-\d{2}-\d{4}"
    ),
    "address": re.compile(
        r"-?\d{1,2}\.\d{3,}\s*[,; ]\s*-?\d{1,3}\.\d{3,}|POINT ?\(.*\)"
    ),
    "phone": re.compile(r"(?=(.*\d){8})\+?[\d\s()./-]{8,20}"),
}
_TIME = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?|\d{4}-\d{2}-\d{2}.*")


def class_of(table: str, column: str, kind: str, texts: Texts = ()) -> str:
    """The class of a column by its name, else by its texts; '' where none is seen.

    `kind` is its canonical type, or enum, `texts` a sample. What only a person can
    decide is `undecided`.
    """
    more = _IN_PEOPLE if is_of_persons(table) else ()
    if _OF_SECRETS.search(target_name(words(table))):
        more += _IN_SECRETS
    sure, unsure = _by_name(target_name(words(column)), _family(kind), more)
    if found := sure or _class_of_texts(texts) or unsure:
        return found
    # Its name means nothing to those who wrote the words.
    is_unreadable = not re.search("[A-Za-z]", column)
    return UNDECIDED if is_unreadable and _family(kind) in _OPEN else ""


@lru_cache(maxsize=10_000)
def _by_name(name: str, family: str, more: tuple[_Named, ...]) -> tuple[str, str]:
    """The class that a name means, and `undecided` where it may mean one.

    `more` is what the table adds to what all names mean.
    """
    is_about = bool(_ABOUT.search(name))
    is_number = family == "number"
    if is_number and _REFERS.search(name) and not _OF_PERSONS.search(name):
        return "", ""
    if not is_about:
        for label, families, pattern in (*_NAMES, *more):
            if family in families.split() and pattern.search(name):
                return label, ""
    is_asked = _DELICATE.search(name) or (
        not is_about
        and family in _OPEN
        and (_AMBIGUOUS.search(name) or (family == "text" and _WHO.search(name)))
    )
    return "", UNDECIDED if is_asked else ""


def _class_of_texts(texts: Texts) -> str:
    values = [text.strip() for text in texts]
    enough = max(5, 0.8 * len(values))
    if sum(map(_is_secret, values)) >= enough:
        return "secret"
    if sum(map(_is_card, values)) >= enough:
        return "id"
    for label, pattern in _LOOKS_LIKE.items():
        fits = sum(
            bool(pattern.fullmatch(v)) and not _TIME.fullmatch(v) for v in values
        )
        if fits >= enough:
            return label
    return ""


def _is_secret(text: str) -> bool:
    """Whether it is a hash or a token in the forms that programs write."""
    if _CREDENTIAL.fullmatch(text):
        return True
    if _HEX.fullmatch(text):
        return bool(re.search("[a-fA-F]", text))
    return bool(
        _RANDOM.fullmatch(text)
        # Chance puts all three kinds of characters into it; words do not.
        and re.search("[a-z]", text)
        and re.search("[A-Z]", text)
        and len(re.findall(r"\d", text)) >= 3
        and not re.search(r"\.\w{2,4}$|[A-Z]?[a-z]{7,}", text)
    )


def _is_card(text: str) -> bool:
    """Whether it is a card's number: 13 to 19 digits whose check digit is right."""
    if not _NUMBER.fullmatch(text):
        return False
    digits = [int(c) for c in text if c.isdigit()]
    if not 13 <= len(digits) <= 19 or digits[0] not in (2, 3, 4, 5, 6):
        return False
    doubled = [d * 2 - 9 * (d > 4) for d in digits[-2::-2]]
    return (sum(doubled) + sum(digits[::-2])) % 10 == 0


def is_of_persons(table: str, classes: Iterable[str] = ()) -> bool:
    """Whether a table is one of persons by its name, or a class of its columns."""
    return bool(_PEOPLE.search(target_name(words(table)))) or any(classes)


def is_open(kind: str, texts: Texts = ()) -> bool:
    """Whether a column may hold anything at all: free text, bytes, a place on earth.

    A sample of short texts shows that it does not.
    """
    family = _family(kind)
    if family != "text":
        return family in _OPEN
    if len(texts) >= 5:
        spoken = sum(len(text.split()) >= _WORDS for text in texts)
        return spoken >= 0.1 * len(texts)
    length = re.fullmatch(r"varchar\((\d+)\)", kind)
    return length is None or int(length[1]) >= _LONG
