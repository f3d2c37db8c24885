"""What a file of some content is read as, or refused for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.core.errors import FrameRejectedError
from edge_agent.frames import completeness, decode

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from edge_agent.core.frame import Frame


def read(folder: Path, name: str, content: bytes, **options: Any) -> list[Frame]:
    (folder / name).write_bytes(content)
    return decode(str(folder / name), name, **options)


def refused(folder: Path, name: str, content: bytes, **options: Any) -> tuple[str, str]:
    """Cause and reason."""
    with pytest.raises(FrameRejectedError) as rejected:
        read(folder, name, content, **options)
    return rejected.value.cause, rejected.value.reason


def check_growth(folder: Path, name: str, content: bytes, last: int, lengths: Iterable[int]) -> None:
    """The file grows until it has `last` bytes, and is refused as truncated until then."""
    path = folder / name
    for length in (*lengths, last - 1):
        path.write_bytes(content[:length])
        assert completeness(path) == "growing", length
        assert refused(folder, name, content[:length])[0] == "truncated", length
    path.write_bytes(content[:last])
    assert completeness(path) == "complete"
    read(folder, name, content[:last])
