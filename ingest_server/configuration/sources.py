"""Where settings come from: flags before environment before the TOML file before defaults; and how they are printed.

    flag          --drain-seconds 10        --no-insecure-listen-anywhere      --handlers a --handlers b
    environment   INGEST_DRAIN_SECONDS=10   INGEST_INSECURE_LISTEN_ANYWHERE=false   INGEST_HANDLERS=a,b
    file          drain_seconds = 10        insecure_listen_anywhere = false   handlers = ["a", "b"]

All faults of all sources are found before any is reported.
"""

from __future__ import annotations

import argparse
import difflib
import inspect
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import Field as DataclassField
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Generic, TypeVar, get_type_hints

from ingest_server import __version__
from ingest_server.configuration.declaration import SETTING, Fault, SettingInfo, SettingsError

CONFIG_BYTES_MAX = 1024 * 1024
MASK = "********"
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Program:
    """What a program's command line says of itself.

    Attributes:
        name: of the command.
        usage, description: for `--help`.
        variable_prefix: begins the names of its environment variables, such as "INGEST_".
        field_prefix: what the settings' field names begin with and their flags and keys do not: the setting `rest_listen` of
            one program is the setting `listen` of another, and `INGEST_REST_LISTEN` for both.
    """

    name: str
    usage: str
    description: str
    variable_prefix: str
    field_prefix: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """A setting, seen by the sources: its name, type (str, int, float, bool or tuple) and what the declaration says.

    Attributes:
        name: of the field; the attribute of the settings object.
        key: as users write it in the file.
        variable: in the environment.
    """

    name: str
    key: str
    variable: str
    kind: type
    default: Any
    info: SettingInfo

    @property
    def flag(self) -> str:
        """Name on the command line."""
        return "--" + self.key.replace("_", "-")


@dataclass(frozen=True, slots=True)
class Invocation(Generic[S]):
    """What the command line, environment and file ask for.

    Attributes:
        settings: the effective configuration.
        print_config: print it and end.
        origins: setting name → source, for those that are not defaults.
    """

    settings: S
    print_config: bool
    origins: Mapping[str, str]


@dataclass(slots=True)
class _Gathered:
    """Values so far, where each came from, and what was wrong."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def put(self, declared: Field, source: str, raw: Any) -> None:
        """Convert `raw` and keep it, unless an earlier (stronger) source has set this field."""
        if declared.name in self.origins:
            return
        self.origins[declared.name] = source
        try:
            self.values[declared.name] = convert(declared.kind, raw)
        except ValueError as error:
            shown = MASK if declared.info.secret else raw
            self.faults.append(Fault(source, declared.key, shown, str(error)))


class Sources(Generic[S]):
    """The sources of one program's settings.

    Args:
        settings: a frozen dataclass whose fields are declared with `setting` and whose making raises SettingsError.
        program: the program.
    """

    def __init__(self, settings: type[S], program: Program) -> None:
        self._settings = settings
        self._program = program
        self.fields: Mapping[str, Field] = _declared_fields(settings, program)
        self._by_key = {declared.key: declared for declared in self.fields.values()}
        self._config_variable = program.variable_prefix + "CONFIG"

    @property
    def flags(self) -> list[str]:
        """All flags of the command line."""
        return [declared.flag for declared in self.fields.values() if not declared.info.secret] + ["--config", "--print-config"]

    def load(self, arguments: Sequence[str], environment: Mapping[str, str]) -> Invocation[S]:
        """Read flags, environment and file.

        Args:
            arguments: the command line without the program's name.
            environment: `os.environ`.

        Raises:
            SettingsError: one or more values are wrong; all are named, each with source, value and limit.
            SystemExit: `--help` or `--version` was asked for and has been answered.
        """
        flags, unknown = self._parser().parse_known_args(list(arguments))
        gathered = _Gathered()
        for argument, before in zip(unknown, ["", *unknown], strict=False):
            if before.startswith("--") and "=" not in before and not argument.startswith("--"):
                continue  # most likely the value of the unknown flag before it
            gathered.faults.append(Fault("command line", argument, None, "is no flag" + _suggestion(argument, self.flags)))
        for name, declared in self.fields.items():
            if (raw := getattr(flags, name, None)) is not None:
                gathered.put(declared, f"flag {declared.flag}", _one_list(raw))
        self._gather_environment(gathered, environment)
        config = flags.config or environment.get(self._config_variable, "")
        if config:
            self._gather_file(gathered, Path(config))
        return Invocation(self._build(gathered), bool(flags.print_config), dict(gathered.origins))

    def to_toml(self, settings: S) -> str:
        """Print settings as a TOML file that gives the same settings when read. Secrets that are set become a comment."""
        lines = []
        for declared in self.fields.values():
            value = getattr(settings, declared.name)
            if declared.info.secret:
                lines.append(f'# {declared.key} = "{MASK}"' if value else f'# {declared.key} = ""')
            else:
                lines.append(f"{declared.key} = {_toml_value(value)}")
        return "\n".join(lines) + "\n"

    def to_environment(self, settings: S) -> dict[str, str]:
        """The variables that give the same settings when read, secrets included: for a child process, never for a log."""
        return {declared.variable: _variable_value(getattr(settings, declared.name)) for declared in self.fields.values()}

    def _parser(self) -> argparse.ArgumentParser:
        program = self._program
        first = next(iter(self.fields.values()))
        parser = argparse.ArgumentParser(
            prog=program.name,
            usage=program.usage,
            description=program.description,
            epilog=f"Each flag is also an environment variable ({first.variable}, …) and a key of the TOML file "
            f"({first.key}, …). Flags win over the environment, the environment over the file.",
            allow_abbrev=False,
        )
        parser.add_argument("--version", action="version", version=f"{program.name} {__version__}")
        parser.add_argument("--config", metavar="FILE", help=f"TOML file with settings ({self._config_variable}).")
        parser.add_argument("--print-config", action="store_true", help="Print the effective settings as TOML, and end.")
        for declared in self.fields.values():
            if not declared.info.secret:
                _add_flag(parser, declared)
        return parser

    def _gather_environment(self, gathered: _Gathered, environment: Mapping[str, str]) -> None:
        """Take the variables that are settings. Others with the prefix belong to clients, unless they look like a slip."""
        by_variable = {declared.variable: declared for declared in self.fields.values()}
        for variable, raw in sorted(environment.items()):
            if variable in by_variable:
                gathered.put(by_variable[variable], f"environment {variable}", raw)
            elif variable.startswith(self._program.variable_prefix) and variable != self._config_variable:
                near = difflib.get_close_matches(variable, by_variable, n=1, cutoff=0.9)
                if near:
                    gathered.faults.append(Fault("environment", variable, None, f"is no setting; did you mean {near[0]}?"))

    def _gather_file(self, gathered: _Gathered, path: Path) -> None:
        source = f"file {path}"
        try:
            if (size_bytes := path.stat().st_size) > CONFIG_BYTES_MAX:
                gathered.faults.append(Fault(source, "size in bytes", size_bytes, f"must be at most {CONFIG_BYTES_MAX:,}"))
                return
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            gathered.faults.append(Fault(source, "config", str(path), f"cannot be read: {error}"))
            return
        for key, raw in table.items():
            if key in self._by_key:
                gathered.put(self._by_key[key], source, raw)
            else:
                gathered.faults.append(Fault(source, key, raw, "is no setting" + _suggestion(key, list(self._by_key))))

    def _build(self, gathered: _Gathered) -> S:
        """Make the settings; raise the faults of conversion together with those of the rules."""
        settings: S | None = None
        try:
            settings = self._settings(**gathered.values)
        except SettingsError as error:
            for fault in error.faults:
                source = gathered.origins.get(fault.name, "default")
                gathered.faults.append(replace(fault, source=source, name=self.fields[fault.name].key))
        if gathered.faults or settings is None:
            order = {key: index for index, key in enumerate(self._by_key)}
            raise SettingsError(sorted(gathered.faults, key=lambda fault: order.get(fault.name, -1)))
        return settings


def _declared_fields(settings: type[Any], program: Program) -> dict[str, Field]:
    hints = get_type_hints(settings)
    own = inspect.get_annotations(settings)
    found = {}
    # Inherited fields come last: a program speaks of itself before it speaks of what it shares with another.
    for item in sorted(fields(settings), key=lambda item: item.name not in own):
        kind = hints[item.name]
        plain = kind if isinstance(kind, type) and kind in (str, int, float, bool) else tuple
        key = item.name.removeprefix(program.field_prefix)
        variable = program.variable_prefix + key.upper()
        found[item.name] = Field(item.name, key, variable, plain, _default(item), item.metadata[SETTING])
    return found


def _default(item: DataclassField[Any]) -> Any:
    return item.default_factory() if callable(item.default_factory) else item.default


def convert(kind: type, raw: Any) -> Any:
    """Turn text, or a value of a TOML file, into `kind`. Raises ValueError with the rule that is broken."""
    if kind is tuple:
        parts = raw.split(",") if isinstance(raw, str) else raw
        if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
            raise ValueError("must be a list of texts")
        return tuple(part.strip() for part in parts if part.strip())
    if kind is bool:
        return _convert_bool(raw)
    if kind is str:
        if not isinstance(raw, str) or "\0" in raw:
            raise ValueError("must be text without zero bytes")
        return raw
    wanted = "a whole number" if kind is int else "a number"
    if isinstance(raw, bool) or not isinstance(raw, str | int | float) or (kind is int and isinstance(raw, float)):
        raise ValueError(f"must be {wanted}")
    try:
        return kind(raw)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"must be {wanted}") from error


def _convert_bool(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    text = raw.strip().lower() if isinstance(raw, str) else ""
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ValueError("must be true or false")


def _one_list(raw: Any) -> Any:
    """A repeated flag gives a list of comma-separated texts: make it one text."""
    return ",".join(raw) if isinstance(raw, list) else raw


def _add_flag(parser: argparse.ArgumentParser, declared: Field) -> None:
    default = ", ".join(declared.default) if declared.kind is tuple else declared.default
    note = "" if default in ("", False) else f" Default: {default}."
    text = (declared.info.doc + note).replace("%", "%%")
    if declared.kind is bool:
        parser.add_argument(declared.flag, dest=declared.name, action=argparse.BooleanOptionalAction, default=None, help=text)
        return
    parser.add_argument(
        declared.flag,
        dest=declared.name,
        action="append" if declared.kind is tuple else "store",
        metavar="|".join(declared.info.choices) or {str: "TEXT", int: "N", float: "X", tuple: "NAME"}[declared.kind],
        help=text,
    )


def _suggestion(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml_value(part) for part in value) + "]"
    if isinstance(value, str):
        # A JSON text is a TOML basic string, but for DEL, which TOML wants escaped (TOML 1.0, "String").
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)


def _variable_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(value) if isinstance(value, tuple) else str(value)
