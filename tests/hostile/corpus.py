"""All hostile files, or a draw of them."""

from __future__ import annotations

import itertools
import math
import random
from typing import TYPE_CHECKING

from tests.hostile.beside import side_cars
from tests.hostile.bombs import bombs
from tests.hostile.dimensions import dimensions
from tests.hostile.directories import directories
from tests.hostile.flipped import flipped, scrambled
from tests.hostile.hdf5 import hdf5
from tests.hostile.lengths import numbers, words
from tests.hostile.seed import Hostile
from tests.hostile.texts import texts
from tests.hostile.truncated import truncated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tests.hostile.seed import Seed

OF_A_SEED = (truncated, flipped, scrambled, words, numbers, side_cars, hdf5)
FROM_NOTHING = (bombs, dimensions, directories, texts)
SHARE_FROM_NOTHING = 3
"""How many seeds' share those that are made from nothing have in a sample."""


def corpus(seeds: Iterable[Seed]) -> Iterator[Hostile]:
    """Everything: some tens of thousands of files, each made only when its bytes are asked for."""
    yield from itertools.chain.from_iterable(make() for make in FROM_NOTHING)
    for seed in sorted(seeds, key=lambda seed: len(seed.content)):
        yield Hostile(seed, "good", "as it is", lambda content=seed.content: content, seed.beside)
        for derive in OF_A_SEED:
            yield from derive(seed)


def sample(seeds: Sequence[Seed], draw: int, files: int) -> list[Hostile]:
    """So many files, as evenly as can be over seeds and ideas; the same for the same `draw`."""
    drawn = random.Random(draw)
    ideas = [derive(seed) for seed in seeds for derive in OF_A_SEED] + [make() for make in FROM_NOTHING for _ in range(SHARE_FROM_NOTHING)]
    each = math.ceil(files / len(ideas))
    chosen = [one for idea in ideas for one in _some(idea, each, drawn)]
    return drawn.sample(chosen, min(files, len(chosen)))


def _some(of: Iterator[Hostile], number: int, drawn: random.Random) -> list[Hostile]:
    """A simple random sample in one pass (Vitter 1985, Algorithm R)."""
    held: list[Hostile] = []
    for place, one in enumerate(of):
        if place < number:
            held.append(one)
        elif (at := drawn.randrange(place + 1)) < number:
            held[at] = one
    return held
