"""Writes docs/settings.md from the declarations in settings.py, so that the page and the program cannot disagree.

python -m scripts.lib.settings_page            writes it; a test fails while it is stale
"""

from __future__ import annotations

from pathlib import Path

from ingest_server.configuration.rest_settings import REST_SOURCES
from ingest_server.configuration.sources import Field
from ingest_server.settings_sources import FIELDS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"

HEAD = """# Settings

Written by `python -m scripts.lib.settings_page` from `ingest_server/settings.py` and `ingest_server/configuration`.

A setting named `drain_seconds` is the flag `--drain-seconds 10`, the environment variable `INGEST_DRAIN_SECONDS=10`, and the
line `drain_seconds = 10` in the TOML file that `--config FILE` or `INGEST_CONFIG` names. Flags win over the environment, the
environment over the file. Switches are `--name` and `--no-name`; lists are repeated flags, or separated by commas.
`ingest-server --print-config` prints what is in force, as a file that can be read again.

**live**: a running server takes the new value at SIGHUP, from the file and the environment it was started with. The others need
a restart. Sizes are in bytes.

"""
TABLE = """| setting | default | meaning | limits | |
|---|---|---|---|---|
"""
REST = """
## ingest-rest

The command `ingest-rest` serves REST in front of a server elsewhere. Its settings are written as above; its variables begin with
`INGEST_REST_` (`INGEST_REST_UPSTREAM`), its file is named by `--config` or `INGEST_REST_CONFIG`. Those that the server has too,
there with `rest_` before the name, have the same variables for both.

"""


def page() -> str:
    """The whole page."""
    server = "".join(row(declared) for declared in FIELDS.values())
    rest = "".join(row(declared) for declared in REST_SOURCES.fields.values())
    return HEAD + TABLE + server + REST + TABLE + rest


def row(declared: Field) -> str:
    """One line of the table."""
    info = declared.info
    marks = ", ".join(mark for mark, given in (("live", info.live), ("no flag: secret", info.secret)) if given)
    return f"| `{declared.key}` | {default_of(declared)} | {info.doc.replace('|', '/')} | {limits_of(declared)} | {marks} |\n"


def default_of(declared: Field) -> str:
    """The default as one would write it."""
    if declared.name == "workers":
        return "processors"
    value = declared.default
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int | float):
        return f"{value:,.0f}" if value == int(value) else f"{value:g}"
    return f"`{value}`" if value else ""


def limits_of(declared: Field) -> str:
    """Choices, or least and most."""
    info = declared.info
    if info.choices:
        return ", ".join(f"`{choice}`" for choice in info.choices)
    least = "" if info.least is None else f"{info.least:,.10g}"
    most = "" if info.most is None else f"{info.most:,.20g}"
    return f"{least} … {most}".strip() if least or most else ""


def main() -> None:
    """Write the page."""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
