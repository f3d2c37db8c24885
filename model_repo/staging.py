"""A folder appears whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def staged(final: Path) -> Iterator[Path]:
    """An empty folder beside `final` that takes its place when the block ends well, and vanishes when it does not."""
    final.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{final.name}-", dir=final.parent))
    try:
        made = staging / "new"
        made.mkdir()
        yield made
        if final.exists():
            final.rename(staging / "old")
        made.rename(final)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
