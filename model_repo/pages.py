"""Writing a report: its figures as JSON in a folder, and the page that tells them beside that folder."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def write(out: Path, figures: Any, lines: Iterable[str], *, name: str = "figures") -> Path:
    """Write `out`/`name`.json and the page `out`.md; return the page's path."""
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.json").write_text(json.dumps(plain(figures), indent=1) + "\n", encoding="utf-8")
    path = out.with_suffix(".md")
    path.write_text(page(lines), encoding="utf-8")
    return path


def page(lines: Iterable[str]) -> str:
    """Join a page's lines."""
    return "\n".join(lines) + "\n"


def plain(value: Any) -> Any:
    """As JSON has it: arrays and tuples become lists, NumPy's numbers Python's, and a number that is not finite None.

    >>> plain({"n": np.int64(3), "band": (0.5, math.inf)})
    {'n': 3, 'band': [0.5, None]}
    """
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
