"""Which tile a product is cut into, by its sizes alone.

A block computes a tile of C_t, bringing so many columns of A and rows of B at a time.
The blocks of a product run in waves, one block on each multiprocessor.  A wave costs
the multiply-adds of a tile, rounded up at its edges, times the price of one: it is the
shared memory that a small tile reads per multiply-add which keeps its threads waiting.
The cheapest tile is taken.  That is a model, not a measurement; every tile computes the
same product.
"""

from typing import NamedTuple

from .kernel import Ints, Launch

MULTIPROCESSORS = 132  # of an H100 or H200


class Tile(NamedTuple):
    """Rows, columns and depth of a tile, and the entries of it that a thread has."""

    rows: int
    cols: int
    depth: int
    down: int
    across: int

    @property
    def price(self) -> float:
        """Entries read from shared memory per multiply-add; 1 is as many as can be."""
        return 4 * (self.down + self.across) / (self.down * self.across)

    def blocks(self, ints: Ints) -> tuple[int, int, int]:
        """Return the blocks along n, along m, and tasks."""
        return -(-ints["n"] // self.cols), -(-ints["m"] // self.rows), ints["tasks"]

    def cost(self, ints: Ints) -> float:
        """Return waves · multiply-adds · price."""
        across, down, tasks = self.blocks(ints)
        waves = -(-across * down * tasks // MULTIPROCESSORS)
        depth = -(-ints["k"] // self.depth) * self.depth
        return waves * self.rows * self.cols * depth * max(1, self.price)


TILES = (
    Tile(64, 64, 16, 8, 8),
    Tile(32, 32, 32, 8, 4),
    Tile(32, 16, 32, 4, 4),
    Tile(16, 16, 64, 2, 4),
)
THREADS = 256


def tiles(symbol: str):
    """Return the launches of a product: a function per tile, named for its size."""

    def launches(ints: Ints) -> list[Launch]:
        tile = min(TILES, key=lambda tile: tile.cost(ints))
        name = f"{symbol}_{tile.rows}x{tile.cols}"
        return [Launch(name, tile.blocks(ints), (THREADS, 1, 1))]

    return launches
