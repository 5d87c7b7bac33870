"""Writes docs/settings.md from the declarations in settings.py, so that the page and the program cannot disagree.

python -m scripts.lib.settings_page            writes it; a test fails while it is stale
"""

from __future__ import annotations

from pathlib import Path

from ingest_server.settings_sources import FIELDS, Field

PAGE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"

HEAD = """# Settings

Written by `python -m scripts.lib.settings_page` from `ingest_server/settings.py`.

A setting named `drain_seconds` is the flag `--drain-seconds 10`, the environment variable `INGEST_DRAIN_SECONDS=10`, and the
line `drain_seconds = 10` in the TOML file that `--config FILE` or `INGEST_CONFIG` names. Flags win over the environment, the
environment over the file. Switches are `--name` and `--no-name`; lists are repeated flags, or separated by commas.
`ingest-server --print-config` prints what is in force, as a file that can be read again.

**live**: a running server takes the new value at SIGHUP, from the file and the environment it was started with. The others need
a restart. Sizes are in bytes.

| setting | default | meaning | limits | |
|---|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(row(declared) for declared in FIELDS.values())


def row(declared: Field) -> str:
    """One line of the table."""
    info = declared.info
    marks = ", ".join(mark for mark, given in (("live", info.live), ("no flag: secret", info.secret)) if given)
    return f"| `{declared.name}` | {default_of(declared)} | {info.doc.replace('|', '/')} | {limits_of(declared)} | {marks} |\n"


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
