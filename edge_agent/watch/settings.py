"""How one stream's folder is watched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from edge_agent.core.formats import FRAME_PATTERNS

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """What a FolderWatcher needs to know.

    Attributes:
        stream: the stream's name.
        root: the folder; patterns and paths are relative to it.
        include: patterns of files to take, letter case does not matter.
        exclude: patterns of files to leave alone.
        observer: the operating system's events, looking, or events where they can be had.
        start: whether files that were there before the first run are taken.
        settle_s: how long a file must rest.
        settle_timeout_s: how long a resting file may lack what its header promises.
        scan_interval_s: time between scans that catch what events missed; longer where a scan is costly.
    """

    stream: str
    root: Path
    include: tuple[str, ...] = FRAME_PATTERNS
    exclude: tuple[str, ...] = ()
    observer: Literal["auto", "native", "polling"] = "auto"
    start: Literal["now", "beginning"] = "now"
    settle_s: float = 1.0
    settle_timeout_s: float = 60.0
    scan_interval_s: float = 10.0
