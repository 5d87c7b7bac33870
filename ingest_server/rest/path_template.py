"""Path templates of google.api.http: the grammar, read into a form that can be matched and printed.

    Template = "/" Segments [ ":" Verb ] ;
    Segments = Segment { "/" Segment } ;
    Segment  = "*" | "**" | Literal | "{" FieldPath [ "=" Segments ] "}" ;

Read with google/api/http.proto and with grpc-gateway (internal/httprule, runtime/pattern.go), whose rules decide where the
grammar is silent: "**" may stand once, anywhere; "*" also matches an empty segment; the path is percent-decoded as a whole before
it is split at "/" (UnescapingModeLegacy, the default of grpc-gateway v2), so "%2F" separates segments like "/" does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LITERAL = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})+")
"""pchar of RFC 3986."""
STAR, STARS = "*", "**"


class TemplateError(ValueError):
    """A template breaks the grammar. Found when the routes are built, never by a request."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A part of the path that becomes a field.

    Attributes:
        field_path: names from the request message to the field, such as ("queue", "name").
        begin, end: the segments it covers, end excluded; counted in the template.
    """

    field_path: tuple[str, ...]
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """A template, taken apart.

    Attributes:
        text: as it was written.
        segments: "*", "**" or a literal each, in order; variables are opened up.
        variables: in order of the path.
        verb: what follows the last colon; "" if there is none.
    """

    text: str
    segments: tuple[str, ...]
    variables: tuple[Variable, ...]
    verb: str

    def match(self, path: str) -> dict[str, str] | None:
        """Match a decoded path.

        Args:
            path: begins with "/".

        Returns:
            The text of every variable by its dotted field path; None if the path does not match.
        """
        parts = path[1:].split("/")
        if self.verb:
            if not parts[-1].endswith(":" + self.verb) or len(parts[-1]) == len(self.verb) + 1:
                return None
            parts[-1] = parts[-1][: -len(self.verb) - 1]
        return self.bind(parts)

    def bind(self, parts: list[str]) -> dict[str, str] | None:
        """Match segments from which the verb is taken off already; result as for `match`."""
        segments = self.segments
        spare = len(parts) - len(segments)
        wide = segments.index(STARS) if STARS in segments else -1
        if spare != 0 and (wide < 0 or spare < -1):
            return None
        for index, segment in enumerate(segments):
            if segment == STAR or index == wide:
                continue
            if parts[index + spare if 0 <= wide < index else index] != segment:
                return None
        bindings = {}
        for variable in self.variables:
            begin = variable.begin + (spare if 0 <= wide < variable.begin else 0)
            end = variable.end + (spare if 0 <= wide < variable.end else 0)
            bindings[".".join(variable.field_path)] = "/".join(parts[begin:end])
        return bindings


def parse(text: str) -> PathTemplate:
    """Read a template.

    Raises:
        TemplateError: with the place and what was expected there.
    """
    return _Parser(text).template()


class _Parser:
    """Reads one template from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.segments: list[str] = []
        self.variables: list[Variable] = []

    def template(self) -> PathTemplate:
        self._take("/")
        if self.at == len(self.text):  # "/" alone: the root, one empty segment, as grpc-gateway has it
            return PathTemplate(self.text, ("",), (), "")
        self._segments(in_variable=False)
        verb = ""
        if self._peek() == ":":
            self.at += 1
            verb = self._literal("a verb", stop="")
        if self.at != len(self.text):
            raise self._fault('"/", ":" or the end')
        if self.segments.count(STARS) > 1:
            raise TemplateError(f'{self.text}: "**" may stand once in a template')
        paths = [variable.field_path for variable in self.variables]
        if len(set(paths)) != len(paths):
            raise TemplateError(f"{self.text}: a field is bound twice")
        return PathTemplate(self.text, tuple(self.segments), tuple(self.variables), verb)

    def _segments(self, *, in_variable: bool) -> None:
        self._segment(in_variable=in_variable)
        while self._peek() == "/":
            self.at += 1
            self._segment(in_variable=in_variable)

    def _segment(self, *, in_variable: bool) -> None:
        if self._peek() == "{":
            if in_variable:
                raise self._fault("no variable inside a variable")
            self._variable()
        elif self.text.startswith(STARS, self.at):
            self.at += 2
            self.segments.append(STARS)
        elif self._peek() == STAR:
            self.at += 1
            self.segments.append(STAR)
        else:
            self.segments.append(self._literal('"*", "**", "{" or a literal', stop="=" if in_variable else ""))

    def _variable(self) -> None:
        self.at += 1
        path = [self._identifier()]
        while self._peek() == ".":
            self.at += 1
            path.append(self._identifier())
        begin = len(self.segments)
        if self._peek() == "=":
            self.at += 1
            self._segments(in_variable=True)
        else:
            self.segments.append(STAR)
        self._take("}")
        self.variables.append(Variable(tuple(path), begin, len(self.segments)))

    def _identifier(self) -> str:
        found = IDENTIFIER.match(self.text, self.at)
        if not found:
            raise self._fault("a field name")
        self.at = found.end()
        return found.group()

    def _literal(self, wanted: str, *, stop: str) -> str:
        """A literal, up to the colon that begins the verb: the first one after the last slash and closing brace."""
        found = LITERAL.match(self.text, self.at)
        if not found:
            raise self._fault(wanted)
        end = found.end()
        if wanted != "a verb":
            end = self._verb_begin(found.start(), end)
        if end == found.start():
            raise self._fault(wanted)
        self.at = end
        return self.text[found.start() : end]

    def _verb_begin(self, begin: int, end: int) -> int:
        """Where a literal ends: at the last colon of the last segment."""
        if "/" in self.text[end:] or "}" in self.text[end:]:
            return end
        colon = self.text.rfind(":", begin, end)
        return end if colon < 0 else colon

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _take(self, wanted: str) -> None:
        if self._peek() != wanted:
            raise self._fault(f'"{wanted}"')
        self.at += 1

    def _fault(self, wanted: str) -> TemplateError:
        rest = self.text[self.at :] or "the end"
        return TemplateError(f"{self.text}: expected {wanted} at {self.at}, found {rest}")
