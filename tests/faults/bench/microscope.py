"""A virtual microscope that writes as real ones do, and worse: whole, in pieces, for seconds, over its own files, thousands at once."""

from __future__ import annotations

import contextlib
import heapq
import io
import itertools
import os
import random
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from edge_agent.frames import content_hash
from tests.an_agent import frame
from tests.faults.bench.truth import OPTIONAL, QUARANTINED, SCORED, Truth, Version

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FRAMES_A_SAMPLE = 15
PERIOD = 14
NOISY = range(7, 11)
"""Of each PERIOD samples, those taken with a noise that raises an alert."""
QUIET_NOISE, LOUD_NOISE = 6.0, 30.0
MANNERS = {
    "renamed": 42, "at once": 20, "in pieces": 12, "appended": 4, "rewritten": 5, "rewritten slowly": 3, "renamed over": 5,
    "touched": 3, "deleted": 3, "bad": 5,
}  # fmt: skip
"""How often each way of writing is drawn."""
BAD = (b"a protocol that somebody saved under the wrong name\n" * 40, b"")
TORN = ("incomplete", "truncated", "empty")
"""What a file in mid-write may be called once it has rested for too long."""
RESTS_S = 0.2
"""A file that was left alone for so long may settle."""
OLD_ENOUGH_S = 2.0
"""Files are ill-treated when they have been there for so long."""


def picture(seed: int, noise: float, *under: float) -> bytes:
    """A TIFF of a smooth texture with noise; with `under` = bytes, seed, noise, only so many bytes of it and from there on another's."""
    if under:
        done, old_seed, old_noise = under
        return picture(seed, noise)[: int(done)] + picture(int(old_seed), old_noise)[int(done) :]
    buffer = io.BytesIO()
    Image.fromarray(frame(int(seed), noise=noise)).save(buffer, "TIFF")
    return buffer.getvalue()


def hash_of(content: bytes) -> str:
    """The content hash of a TIFF that may be half one picture and half another."""
    with Image.open(io.BytesIO(content)) as image:
        return content_hash(np.asarray(image))


class Microscope:
    """Writes into `folder`, from a thread of its own, and keeps the truth.

    Args:
        folder: where.
        seed: draws pixels and ways of writing.
        rate: frames a second.
        is_judged: whether the agent's journal has a result for a path's content.
    """

    def __init__(self, folder: Path, seed: int, rate: float, is_judged: Callable[[str, str], bool]) -> None:
        self.truth = Truth()
        self.door = threading.RLock()
        """Held for each step of writing: whoever moves the folder takes it."""
        self.folder = folder
        self._rng = random.Random(f"microscope {seed}")
        self._seed = seed
        self._rate = rate
        self._is_judged = is_judged
        self._began_s = time.monotonic()
        self._shots = 0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._ties = itertools.count()
        self._settled: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="microscope", daemon=True)
        self.failure: BaseException | None = None

    def start(self) -> None:
        """Begin; the truth's times count from now."""
        self._began_s = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """End when every file that was begun is whole."""
        self._stop.set()
        self._thread.join(120)
        if self.failure is not None:
            raise RuntimeError("the microscope failed") from self.failure
        if self._thread.is_alive():
            raise RuntimeError("the microscope could not end its files")

    def burst(self, number: int) -> None:
        """So many files as fast as they can be written, from the calling thread."""
        for _ in range(number):
            with self.door:
                shot, noise = self._next()
                self._write(shot, noise, self._path(shot), "at once" if shot % 3 else "renamed")

    # the thread

    def _run(self) -> None:
        try:
            next_s = time.monotonic()
            while not self._stop.is_set() or self._due:
                now_s = time.monotonic()
                while self._due and self._due[0][0] <= now_s:
                    action = heapq.heappop(self._due)[2]
                    with self.door:
                        action()
                if now_s >= next_s and not self._stop.is_set():
                    next_s = max(next_s + 1 / self._rate, now_s - 1.0)
                    with self.door:
                        self._shoot()
                time.sleep(0.01)
        except BaseException as error:  # noqa: BLE001 - told where the run ends
            self.failure = error

    def _later(self, after_s: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._due, (time.monotonic() + after_s, next(self._ties), action))

    def _next(self) -> tuple[int, float]:
        shot, self._shots = self._shots, self._shots + 1
        return shot, LOUD_NOISE if shot // FRAMES_A_SAMPLE % PERIOD in NOISY else QUIET_NOISE

    @staticmethod
    def _path(shot: int) -> str:
        return f"S{shot // FRAMES_A_SAMPLE:05d}/{shot:06d}.tif"

    def _shoot(self) -> None:
        manner = self._rng.choices(list(MANNERS), list(MANNERS.values()))[0]
        victim = self._victim() if manner in {"rewritten", "rewritten slowly", "renamed over", "touched", "deleted"} else None
        if manner == "touched" and victim:
            self._touch(victim)
        elif manner == "deleted" and victim:
            self._delete(victim)
        elif manner == "bad":
            self._bad()
        else:
            shot, noise = self._next()
            if victim is not None:  # the victim's own sample and noise: a frame taken again
                noise = self.truth.versions[victim][-1].recipe[1]
            self._write(shot, noise, victim or self._path(shot), manner)

    def _victim(self) -> str | None:
        """A file that is not being written at present."""
        return self._settled.pop(self._rng.randrange(len(self._settled))) if len(self._settled) > 5 else None

    def _write(self, shot: int, noise: float, path: str, manner: str) -> None:
        recipe = (self._seed * 1_000_000 + shot, noise)
        content = picture(*recipe)
        pixels_hash = hash_of(content)
        self._replaces(path)
        place = self.folder / path
        try:
            place.parent.mkdir(exist_ok=True)
            if manner in {"at once", "rewritten"}:
                place.write_bytes(content)
            elif manner == "rewritten slowly":
                if place.exists():
                    self._overwrite(path, self.truth.versions[path][-1].recipe, recipe, 0, time.monotonic())
                    return
                place.write_bytes(content)
            elif manner in {"in pieces", "appended"}:
                pieces = self._rng.randint(3, 6)
                pause_s = self._rng.uniform(0.02, 0.2) if manner == "in pieces" else self._rng.uniform(0.4, 1.0)
                self._grow(path, content, len(content) // pieces, pause_s, 0, partial(self._whole, path, pixels_hash, recipe))
                return
            else:
                partial_file = place.with_name(place.name + ".part")
                partial_file.write_bytes(content)
                partial_file.replace(place)
        except OSError:
            self._no_room(path, content, pixels_hash, recipe)
        else:
            self._whole(path, pixels_hash, recipe)

    def _grow(self, path: str, content: bytes, piece: int, pause_s: float, done: int, whole: Callable[[], Version]) -> None:
        """Append the next piece; the header promises the whole from the first one on."""
        self.truth.excuse(path, *TORN)  # the disk may fill up in between
        try:
            with (self.folder / path).open("ab" if done else "wb") as file:
                file.write(content[done : done + piece])
        except OSError:
            self._later(1.0, partial(self._grow, path, content, len(content), 0.0, 0, whole))
            return
        if done + piece < len(content):
            self._later(pause_s, partial(self._grow, path, content, piece, pause_s, done + piece, whole))
        else:
            whole()

    def _overwrite(self, path: str, old: tuple[float, ...], new: tuple[float, ...], done: int, last_s: float) -> None:
        """Write the new content over the old one, which has its size, piece by piece; a mixture that rests for too long may be read."""
        content = picture(*new)
        if done and time.monotonic() - last_s > RESTS_S:
            mixed = (*new, done, *old)
            self.truth.add(path, hash_of(picture(*mixed)), OPTIONAL, mixed, last_s - self._began_s)
        piece = content[done : done + len(content) // 4 + 1]
        with (self.folder / path).open("r+b") as file:
            file.seek(done)
            file.write(piece)
        done += len(piece)
        if done < len(content):
            self._later(0.05, partial(self._overwrite, path, old, new, done, time.monotonic()))
        else:
            self._whole(path, hash_of(content), new)

    def _no_room(self, path: str, content: bytes, pixels_hash: str, recipe: tuple[float, ...]) -> None:
        """What is there of the file stays until there is room, as with instruments."""
        self.truth.excuse(path, *TORN)
        self._later(1.0, partial(self._again, path, content, pixels_hash, recipe))

    def _again(self, path: str, content: bytes, pixels_hash: str, recipe: tuple[float, ...]) -> None:
        try:
            (self.folder / path).parent.mkdir(exist_ok=True)
            (self.folder / path).write_bytes(content)
        except OSError:
            self._no_room(path, content, pixels_hash, recipe)
        else:
            self._whole(path, pixels_hash, recipe)

    def _replaces(self, path: str) -> None:
        """What stands at `path` may not be asked for any more unless it was judged."""
        for version in self.truth.versions.get(path, [])[-1:]:
            if version.fate == SCORED and not self._is_judged(path, version.content_hash):
                version.fate = OPTIONAL
                self.truth.excuse(path, "vanished", *TORN)

    def _whole(self, path: str, pixels_hash: str, recipe: tuple[float, ...]) -> Version:
        version = self.truth.add(path, pixels_hash, SCORED, recipe, time.monotonic() - self._began_s)
        self._later(OLD_ENOUGH_S, lambda: self._settled.append(path))
        return version

    def _touch(self, path: str) -> None:
        with contextlib.suppress(OSError):
            os.utime(self.folder / path)

    def _delete(self, path: str) -> None:
        self._replaces(path)
        with contextlib.suppress(OSError):
            (self.folder / path).unlink()

    def _bad(self) -> None:
        shot, noise = self._next()
        path = self._path(shot)
        content, fate = self._rng.choice(BAD), QUARANTINED
        self.truth.excuse(path, "wrong_type", "empty")
        try:
            (self.folder / path).parent.mkdir(exist_ok=True)
            (self.folder / path).write_bytes(content)
        except OSError:
            fate = OPTIONAL
        self.truth.add(path, "", fate, (0, noise), time.monotonic() - self._began_s)
