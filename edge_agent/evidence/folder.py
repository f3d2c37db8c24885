"""The pictures on disk: <state_dir>/evidence/<stream>/<episode>/, written whole, and removed with their episodes."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from edge_agent.core.evidence_place import FOLDER, LOCAL_MAP, STRIP, evidence_place
from edge_agent.core.whole_file import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

RECORD = "evidence.json"
"""Written last: an episode that has it is done."""
NOTE = "note.txt"


class EvidenceFolder:
    """The evidence below a state directory; every method is blocking and may raise OSError.

    Args:
        state_dir: the state directory.
    """

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir

    def record(self, stream: str, episode: str) -> dict[str, Any] | None:
        """What was written of an episode, None when nothing was, or not all."""
        try:
            found = json.loads((self._place(stream, episode) / RECORD).read_bytes())
        except FileNotFoundError:
            return None
        except ValueError:
            return None
        return found if isinstance(found, dict) else None

    def write(self, stream: str, episode: str, record: dict[str, Any], pictures: dict[str, bytes | None], notes: Iterable[str]) -> None:
        """Write an episode's files, the record last; a picture that is None leaves what was there."""
        place = self._place(stream, episode)
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in (STRIP, LOCAL_MAP):
            if (content := pictures.get(name)) is not None:
                write_whole(place / name, content)
        said = "".join(f"{line}\n" for line in notes)
        if said:
            write_whole(place / NOTE, said.encode("utf-8", "backslashreplace"))
        else:
            (place / NOTE).unlink(missing_ok=True)
        write_whole(place / RECORD, json.dumps(record, indent=1).encode())

    def keep_only(self, episodes: Iterable[tuple[str, str]]) -> int:
        """Remove all but these (stream, episode); returns how many folders went. Links are removed, never followed."""
        kept = {self._state_dir / evidence_place(stream, episode) for stream, episode in episodes}
        root = self._state_dir / FOLDER
        gone = 0
        for stream in [*root.iterdir()] if root.is_dir() and not root.is_symlink() else []:
            if stream.is_symlink() or not stream.is_dir():
                continue
            for place in [*stream.iterdir()]:
                if place in kept:
                    continue
                if place.is_symlink() or not place.is_dir():
                    place.unlink(missing_ok=True)
                else:
                    shutil.rmtree(place)
                gone += 1
        return gone

    def _place(self, stream: str, episode: str) -> Path:
        return self._state_dir / evidence_place(stream, episode)
