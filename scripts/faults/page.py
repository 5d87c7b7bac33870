"""Writes the table of docs/reliability.md from the JSON that runs have printed: no figure there is copied by hand.

    scripts/chaos all --json > run.json; python -m scripts.faults.page run.json

Several files may be given, also of single scenarios; of two runs of a scenario the later file wins.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs/reliability.md"
BEGIN, END = "<!-- figures: written by python -m scripts.faults.page -->\n", "<!-- end of figures -->\n"
HEAD = "| scenario | must hold | verdict | figures | again |\n|---|---|---|---|---|\n"


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A table in Markdown, by scenario."""
    latest = {row["scenario"]: row for row in rows}
    return HEAD + "".join(_line(latest[name]) for name in sorted(latest))


def _line(row: Mapping[str, Any]) -> str:
    figures = "<br>".join(f"{name} {_number(value)}" for name, value in row["figures"].items()) or row["skipped"]
    again = f"`scripts/chaos {row['scenario']} --seed {row['seed']}` ({row['seconds']:,.0f} s)"
    cells = (row["scenario"], row["criterion"], row["verdict"], figures, again)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _number(value: float | int | str) -> str:
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 1_000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else value


def with_table(page: str, made: str) -> str:
    """The page with another table. Raises ValueError where the page has no place for it."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page needs the lines {BEGIN!r} and {END!r}, between which the table stands")
    return before + BEGIN + made + END + after


def main(paths: Sequence[str]) -> int:
    """Run as `python -m scripts.faults.page FILE…`."""
    if not paths:
        print((__doc__ or "").strip(), file=sys.stderr)
        return 2
    rows = [row for path in paths for row in json.loads(Path(path).read_text(encoding="utf-8"))]
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), table(rows)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
