"""Real files of vendors' formats, which stand beside the checkout and never in it."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import absent

FORMATS = Path(__file__).parents[2] / "shared" / "data" / "formats"


def real_format(name: str) -> Path:
    """The file; skips where there is none."""
    if not (FORMATS / name).is_file():
        absent("shared", f"{FORMATS / name} is absent")
    return FORMATS / name
