"""The routes: read from the google.api.http rules of service descriptors when the shim starts, found by verb and path."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from google.api import annotations_pb2, http_pb2
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

from ingest_server.rest.fields import is_repeated
from ingest_server.rest.path_template import PathTemplate, parse

WHOLE = "*"
"""HttpRule.body: the body is the whole request message."""


class RouteError(ValueError):
    """A rule of the contract cannot become a route. Found when the routes are built, never by a request."""


@dataclass(frozen=True, slots=True)
class Route:
    """One binding of one RPC.

    Attributes:
        verb: HTTP method, upper case; "*" for a custom rule that takes any.
        template: of the path.
        method: descriptor of the RPC.
        full_method: as gRPC calls it, "/package.Service/Method".
        body: "" (no body is read), "*" (the whole request), or the name of the request's field that the body is.
        response_body: "" (the whole answer), or the name of the answer's field that the body is.
        input_class, output_class: message classes.
        client_streaming, server_streaming: as the RPC is declared.
        number: place in the order of the rules; where several routes match, the highest wins, as in grpc-gateway.
        additional: from additional_bindings.
    """

    verb: str
    template: PathTemplate
    method: MethodDescriptor
    full_method: str
    body: str
    response_body: str
    input_class: type[Message]
    output_class: type[Message]
    client_streaming: bool
    server_streaming: bool
    number: int
    additional: bool

    @property
    def streaming(self) -> bool:
        """Either side streams."""
        return self.client_streaming or self.server_streaming

    @property
    def body_field(self) -> FieldDescriptor | None:
        """The field that the body is; None where it is the whole request, or where there is none."""
        return self.method.input_type.fields_by_name[self.body] if self.body not in ("", WHOLE) else None


@dataclass(frozen=True, slots=True)
class Match:
    """A route found for a request.

    Attributes:
        route: which.
        bindings: text of each path variable by its dotted field path.
    """

    route: Route
    bindings: dict[str, str]


@dataclass(slots=True)
class _Node:
    """A place in the tree of segments: what may follow, and the routes that end here."""

    literals: dict[str, _Node] = field(default_factory=dict)
    star: _Node | None = None
    ends: dict[str, Route] = field(default_factory=dict)  # by template verb; the highest number


class _Tree:
    """Routes of one HTTP method. Those without "**" form a tree, so a lookup costs the depth of the path; the rest a list."""

    def __init__(self) -> None:
        self.root = _Node()
        self.wide: list[Route] = []
        self.verbs: set[str] = set()

    def add(self, route: Route) -> None:
        template = route.template
        if template.verb:
            self.verbs.add(template.verb)
        if "**" in template.segments:
            self.wide.insert(0, route)
            return
        node = self.root
        for segment in template.segments:
            if segment == "*":
                node.star = node.star or _Node()
                node = node.star
            else:
                node = node.literals.setdefault(segment, _Node())
        node.ends[template.verb] = route

    def find(self, parts: list[str]) -> Match | None:
        """The matching route with the highest number."""
        last = parts[-1]
        best: Route | None = None
        chosen = parts
        for verb in self._verbs_of(last):
            bare = [*parts[:-1], last[: -len(verb) - 1]] if verb else parts
            found = self._best(bare, verb)
            if found is not None and (best is None or found.number > best.number):
                best, chosen = found, bare
        if best is None:
            return None
        bindings = best.template.bind(chosen)
        return None if bindings is None else Match(best, bindings)

    def _verbs_of(self, last: str) -> Iterator[str]:
        """Template verbs that the last segment may carry. A segment of nothing but ":verb" matches nothing at all."""
        if ":" in last:
            for verb in self.verbs:
                if last.endswith(":" + verb):
                    if len(last) == len(verb) + 1:
                        return
                    yield verb
        yield ""

    def _best(self, parts: list[str], verb: str) -> Route | None:
        best: Route | None = None
        nodes = [self.root]
        for part in parts:
            following = []
            for node in nodes:
                if part in node.literals:
                    following.append(node.literals[part])
                if node.star is not None:
                    following.append(node.star)
            nodes = following
            if not nodes:
                break
        for node in nodes:
            route = node.ends.get(verb)
            if route is not None and (best is None or route.number > best.number):
                best = route
        for route in self.wide:
            if best is not None and route.number < best.number:
                break
            if route.template.verb == verb and route.template.bind(parts) is not None:
                return route
        return best


class RouteTable:
    """All routes of some services.

    Args:
        services: descriptors; their order, that of their RPCs, and that of the bindings decide which of two routes wins that
            match the same path: the last one.

    Raises:
        RouteError: a rule has no path or names a field that does not exist.
        TemplateError: a path breaks the grammar.
    """

    def __init__(self, services: Iterable[ServiceDescriptor]) -> None:
        self.services = tuple(services)
        self.routes: tuple[Route, ...] = tuple(_routes(self.services))
        self._trees: dict[str, _Tree] = {}
        for route in self.routes:
            self._trees.setdefault(route.verb, _Tree()).add(route)

    def match(self, verb: str, path: str) -> Match | None:
        """Find the route of a request.

        Args:
            verb: HTTP method, upper case.
            path: percent-decoded, beginning with "/".
        """
        parts = path[1:].split("/")
        tree = self._trees.get(verb)
        found = tree.find(parts) if tree is not None else None
        if found is None and WHOLE in self._trees:
            found = self._trees[WHOLE].find(parts)
        return found

    def allowed(self, path: str) -> tuple[str, ...]:
        """HTTP methods that have a route for this path, sorted; empty: the path is unknown."""
        parts = path[1:].split("/")
        if any(parts[-1] == ":" + verb for tree in self._trees.values() for verb in tree.verbs):
            return ()  # a verb of nothing is no path, whatever a variable would take
        return tuple(sorted(verb for verb, tree in self._trees.items() if tree.find(parts) is not None))


def _routes(services: Iterable[ServiceDescriptor]) -> Iterator[Route]:
    number = 0
    for service in services:
        for method in service.methods:
            if not method.GetOptions().HasExtension(annotations_pb2.http):
                continue
            rule = method.GetOptions().Extensions[annotations_pb2.http]
            for index, binding in enumerate((rule, *rule.additional_bindings)):
                yield _route(service, method, binding, number, additional=index > 0)
                number += 1


def _route(
    service: ServiceDescriptor, method: MethodDescriptor, rule: http_pb2.HttpRule, number: int, *, additional: bool
) -> Route:
    pattern = rule.WhichOneof("pattern")
    name = f"{service.full_name}.{method.name}"
    if pattern is None:
        raise RouteError(f"{name}: its google.api.http rule has no path")
    verb, path = (rule.custom.kind, rule.custom.path) if pattern == "custom" else (pattern, getattr(rule, pattern))
    template = parse(path)
    for variable in template.variables:
        _check_variable(name, method.input_type, variable.field_path)
    for part, message, label in (
        (rule.body, method.input_type, "body"),
        (rule.response_body, method.output_type, "response_body"),
    ):
        if part and part not in message.fields_by_name and not (label == "body" and part == WHOLE):
            raise RouteError(f"{name}: {label} names {part!r}, which is no field of {message.full_name}")
    return Route(
        verb=verb.upper(),
        template=template,
        method=method,
        full_method=f"/{service.full_name}/{method.name}",
        body=rule.body,
        response_body=rule.response_body,
        input_class=message_factory.GetMessageClass(method.input_type),
        output_class=message_factory.GetMessageClass(method.output_type),
        client_streaming=bool(method.client_streaming),
        server_streaming=bool(method.server_streaming),
        number=number,
        additional=additional,
    )


def _check_variable(name: str, message: Descriptor, path: tuple[str, ...]) -> None:
    """A path variable must lead through singular messages to a field that can be written as text."""
    for index, part in enumerate(path):
        found = message.fields_by_name.get(part)
        dotted = ".".join(path)
        if found is None:
            raise RouteError(f"{name}: the path binds {dotted!r}, but {message.full_name} has no field {part!r}")
        if index < len(path) - 1:
            if found.message_type is None or is_repeated(found):
                raise RouteError(f"{name}: the path binds {dotted!r}, but {part!r} is no singular message")
            message = found.message_type
