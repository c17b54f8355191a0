"""The addresses that a STIX pattern asks for.

STIX 2.1, section 9 (https://docs.oasis-open.org/cti/stix/v2.1/stix-v2.1.html); part 5 of STIX 2.0 is the same but for
EXISTS and the way timestamps are written. A pattern is read as a whole, as one that is wrong anywhere matches nothing
(9.4), and taken apart into alternatives: what OR joins may be used one by one, what AND joins only together. Which of
them binds closer is in 9.5.3.

::

    pattern      ordered
    ordered      either (FOLLOWEDBY either)*
    either       both (OR both)*
    both         observation (AND observation)*
    observation  ("[" comparison "]" | "(" ordered ")") qualifier*
    comparison   together (OR together)*
    together     test (AND test)*
    test         "(" comparison ")" | EXISTS path | path NOT? sign literal | path NOT? IN "(" literal, ... ")"
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flowlens.indicators.entries import shortened
from flowlens.indicators.traffic import Comparison, Meant, Unusable, meaning

__all__ = ["PatternError", "meanings"]

_LONGEST = 1_000_000
_DEEPEST = 50
# Alternatives multiply where brackets joined by AND hold several each.
_MOST_COMPARISONS = 10_000

_STEP = r"""(?:[A-Za-z_][A-Za-z0-9_-]*|'(?:[^'\\]|\\.)*'|"[^"]*")"""
_TOKEN = re.compile(
    rf"""
    (?P<blank>   \s+ | /\*.*?\*/ | //[^\n]* )
  | (?P<path>    [A-Za-z_][A-Za-z0-9_-]* : {_STEP} (?: \.{_STEP} | \[(?:[0-9]+|\*)\] )* )
  | (?P<literal> [thb]'(?:[^'\\]|\\.)*' | [+-]?[0-9]*\.[0-9]+ )
  | (?P<string>  '(?:[^'\\]|\\.)*' )
  | (?P<number>  [+-]?[0-9]+ )
  | (?P<word>    [A-Za-z]+ )
  | (?P<sign>    <= | >= | != | <> | ==? | [<>\[\](),] )
    """,
    re.VERBOSE | re.DOTALL,
)
_EQUAL = {"=", "=="}
_SIGNS = _EQUAL | {"!=", "<>", "<", ">", "<=", ">=", "LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET"}
#: Section 9.5.1: what each qualifier is written with; 2.0 has strings where 2.1 has timestamps.
_QUALIFIERS = {"START": ("", "STOP", ""), "WITHIN": ("", "SECONDS"), "REPEATS": ("", "TIMES")}

#: Comparisons that have to hold together, for one observation.
_Way = tuple[Comparison, ...]
#: What alternatives of observations come to.
_Meanings = list[Meant | Unusable]


class PatternError(ValueError):
    """A text is no STIX pattern, or too large a one."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    begin: int
    end: int


def meanings(pattern: str) -> list[Meant | Unusable]:
    """Return what each alternative of a pattern asks for, or why a flow log cannot tell.

    Raises
    ------
    PatternError
        If it is no STIX pattern, or one with too many alternatives.
    """
    if len(pattern) > _LONGEST:
        raise PatternError(f"it has more than {_LONGEST:,} characters")
    return _Reading(pattern).whole()


def _tokens(pattern: str) -> Iterator[_Token]:
    place = 0
    while place < len(pattern):
        found = _TOKEN.match(pattern, place)
        if found is None:
            raise PatternError(f"nothing of STIX begins with {pattern[place : place + 20]!r}")
        kind, text = str(found.lastgroup), found[0]
        if kind != "blank":
            yield _Token(kind, text.upper() if kind == "word" else text, place, found.end())
        place = found.end()
    yield _Token("end", "", place, place)


class _Reading:
    """A pattern on its way through the grammar: one method a rule, each taking the tokens that belong to it."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.tokens = list(_tokens(pattern))
        self.place = 0
        self.depth = 0

    def whole(self) -> _Meanings:
        found = self.ordered()
        if self.here.kind != "end":
            raise self.unexpected("the end")
        return found

    # --- Observations: what is seen apart ---

    def ordered(self) -> _Meanings:
        return self.joined("FOLLOWEDBY", self.either, "it asks for observations one after the other")

    def either(self) -> _Meanings:
        found = self.both()
        while self.taken("OR"):
            found += self.both()
        return found

    def both(self) -> _Meanings:
        return self.joined("AND", self.observation, "it asks for several observations")

    def joined(self, word: str, part: Callable[[], _Meanings], reason: str) -> _Meanings:
        """Read parts that are worth nothing without one another."""
        begin = self.here.begin
        found, alone = part(), True
        while self.taken(word):
            alone = False
            part()
        return found if alone else [Unusable(self.text_since(begin), reason)]

    def observation(self) -> _Meanings:
        begin = self.here.begin
        if self.taken("["):
            found: _Meanings = [meaning(way) for way in self.comparison()]
            self.need("]")
        elif self.taken("("):
            with self.brackets():
                found = self.ordered()
        else:
            raise self.unexpected("'['")
        qualifiers = set()
        while self.here.text in _QUALIFIERS:
            qualifiers.add(self.qualifier())
        # WITHIN bounds the time from the first of several observations to the last: of one it asks nothing.
        if qualifiers <= {"WITHIN"}:
            return found
        reason = "it asks for observations in a given time, or a given number of them"
        return [Unusable(self.text_since(begin), reason)]

    def qualifier(self) -> str:
        name = self.take().text
        for word in _QUALIFIERS[name]:
            if word:
                self.need(word)
            elif self.take().kind not in {"number", "string", "literal"}:
                raise PatternError(f"{name} has no number or time")
        return name

    # --- Comparisons: what one observation is ---

    def comparison(self) -> list[_Way]:
        ways = self.together()
        while self.taken("OR"):
            ways += self.together()
        return ways

    def together(self) -> list[_Way]:
        ways = self.test()
        while self.taken("AND"):
            others = self.test()
            if len(others) * sum(map(len, ways)) + len(ways) * sum(map(len, others)) > _MOST_COMPARISONS:
                raise PatternError("it has too many alternatives")
            ways = [way + other for way in ways for other in others]
        return ways

    def test(self) -> list[_Way]:
        if self.taken("("):
            with self.brackets():
                return self.comparison()
        begin = self.here.begin
        if self.taken("EXISTS"):
            path = self.path()
            return [(Comparison(self.text_since(begin), path, "EXISTS"),)]
        path = self.path()
        negated = self.taken("NOT")
        sign = self.take().text
        if sign == "IN":
            values = self.values()
        elif sign in _SIGNS:
            values = [self.literal()]
        else:
            raise PatternError(f"{sign!r} compares nothing")
        text = self.text_since(begin)
        if negated or sign not in _EQUAL | {"IN", "ISSUBSET"}:
            return [(Comparison(text, path, f"NOT {sign}" if negated else sign),)]
        sign = "ISSUBSET" if sign == "ISSUBSET" else "="
        # Of a long list each alternative shows its own value only.
        shown = [text] if len(values) == 1 else [shortened(f"{path} = '{value}'") for value in values]
        return [(Comparison(text, path, sign, value),) for text, value in zip(shown, values, strict=True)]

    def path(self) -> str:
        if self.here.kind != "path":
            raise self.unexpected("a path like ipv4-addr:value")
        # Which element of a list is meant makes no difference here.
        return re.sub(r"\[[0-9]+\]", "[*]", re.sub(r"['\"]", "", self.take().text))

    def values(self) -> list[str | int | None]:
        self.need("(")
        values = [self.literal()]
        while self.taken(","):
            values.append(self.literal())
        self.need(")")
        return values

    def literal(self) -> str | int | None:
        """Read a literal; one that is neither text nor a whole number is None, as no test here asks for it."""
        token = self.take()
        if token.kind == "string":
            return re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL)
        if token.kind == "number":
            return int(token.text) if len(token.text) < 10 else None
        if token.kind == "literal" or token.text in {"TRUE", "FALSE"}:
            return None
        raise PatternError(f"{token.text or 'the end'!r} stands where a value belongs")

    # --- Tokens ---

    @property
    def here(self) -> _Token:
        return self.tokens[self.place]

    def take(self) -> _Token:
        token = self.here
        self.place = min(self.place + 1, len(self.tokens) - 1)
        return token

    def taken(self, text: str) -> bool:
        """Take the next token if it is this word or sign."""
        if self.here.text != text or self.here.kind not in {"word", "sign"}:
            return False
        self.take()
        return True

    def need(self, text: str) -> None:
        if not self.taken(text):
            raise self.unexpected(repr(text))

    @contextmanager
    def brackets(self) -> Iterator[None]:
        """Read what stands in round brackets; the first one is taken already."""
        self.depth += 1
        if self.depth > _DEEPEST:
            raise PatternError("its brackets are nested too deeply")
        yield
        self.need(")")
        self.depth -= 1

    def text_since(self, begin: int) -> str:
        return shortened(self.pattern[begin : self.tokens[self.place - 1].end])

    def unexpected(self, wanted: str) -> PatternError:
        return PatternError(f"{self.here.text or 'the end'!r} stands where {wanted} belongs")
