"""Side-cars that lie, lack, or are something else."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.hostile.seed import Hostile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hostile.seed import Seed


def side_cars(seed: Seed) -> Iterator[Hostile]:
    """Each side-car gone, empty, cut, of zeros, of another kind, or long."""
    for name, text in seed.beside.items():
        others = {other: content for other, content in seed.beside.items() if other != name}
        yield Hostile(seed, "side-car", f"without {name}", partial(bytes, seed.content), others)
        for how, content in {
            "is empty": b"",
            "is cut": text[: len(text) // 2],
            "is of zeros": bytes(len(text)),
            "is no text": bytes(range(256)) * 16,
            "is a frame": seed.content[: 1 << 16],
            "has a line of a megabyte": text + b"x" * (1 << 20) + b"\n",
            "has a hundred thousand lines": text + b"key=value\n" * 100_000,
        }.items():
            yield Hostile(seed, "side-car", f"{name} {how}", partial(bytes, seed.content), {**others, name: content})
