"""Writing a report: its figures.json first, then the page, which is a function of those figures and of nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def write(out: Path, figures: dict[str, Any], lines: Callable[[dict[str, Any], str], Iterator[str]]) -> Path:
    """Write `out`/figures.json and `out`.md from the lines that `lines` gives for the figures and the folder's name; return the page."""
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(figures, indent=1)
    (out / "figures.json").write_text(text + "\n", encoding="utf-8")
    path = out.with_suffix(".md")
    path.write_text(page(json.loads(text), out.name, lines), encoding="utf-8")
    return path


def page(figures: dict[str, Any], folder: str, lines: Callable[[dict[str, Any], str], Iterator[str]]) -> str:
    """Join a page's lines."""
    return "\n".join(lines(figures, folder)) + "\n"
