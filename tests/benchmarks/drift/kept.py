"""Results of the bench's parts, kept by what made them, so that a rerun measures only what has changed."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import edge_agent.drift

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent


def digest_of(*made_of: object) -> str:
    """SHA-256 of the parts' JSON or bytes, hexadecimal."""
    whole = hashlib.sha256()
    for part in made_of:
        whole.update(part if isinstance(part, bytes) else json.dumps(part, sort_keys=True).encode())
        whole.update(b"\0")
    return whole.hexdigest()


def digest_of_judge() -> str:
    """Of the source of the judge's whole room."""
    room = Path(edge_agent.drift.__file__).parent
    return digest_of(*(path.read_bytes() for path in sorted(room.rglob("*.py"))))


def digest_of_bench(*names: str) -> str:
    """Of the source of some of the bench's modules."""
    return digest_of(*((HERE / f"{name}.py").read_bytes() for name in names))


class Kept:
    """JSON files in one folder.

    Args:
        folder: made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._began = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, name: str, key: str, make: Callable[[], Any]) -> Any:
        """What `make` gave when it was last called for this name and key, as JSON gives it back."""
        path = self._folder / f"{name}-{key[:20]}.json"
        if not path.exists():
            began = time.monotonic()
            beside = path.with_suffix(".tmp")
            beside.write_text(json.dumps(make()), encoding="utf-8")
            beside.replace(path)
            now = time.monotonic()
            print(f"{now - self._began:7.0f} s  {name} ({now - began:.1f} s)", flush=True)
        return json.loads(path.read_text(encoding="utf-8"))
