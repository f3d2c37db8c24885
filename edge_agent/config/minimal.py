"""The few lines a lab starts from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def minimal_configuration(folder: Path, stream: str, model: str) -> str:
    """TOML text that watches `folder` as `stream` with `model`, and nothing else.

    A JSON string is a TOML basic string, so json quotes names and paths.
    """
    quote = json.dumps
    return "\n".join(
        [
            "# edge-agent: what is watched. Every other setting: edge-agent config show",
            "[[stream]]",
            f"name = {quote(stream)}",
            f"path = {quote(folder.as_posix(), ensure_ascii=False)}",
            f"model.name = {quote(model)}",
            "",
        ]
    )
