"""Which tile a product is cut into, by its sizes alone.

A block computes a tile of C_t.  The blocks of a product run in waves, one block on each
multiprocessor, and a wave takes as long as a tile has entries, times the price of an
entry: small tiles read more of A and B per entry.  The sum over k has the same length
in all of them.  The tile with the least (waves · entries · price) is taken.  That is a
model, not a measurement; every tile computes the same product.
"""

from typing import NamedTuple

from .kernel import Ints, Launch

MULTIPROCESSORS = 132  # of an H100 or H200


class Tile(NamedTuple):
    """Rows and columns of a tile, the price of an entry, and the threads of a block."""

    rows: int
    cols: int
    price: float
    threads: int = 256

    def blocks(self, ints: Ints) -> tuple[int, int, int]:
        """Return the blocks along n, along m, and tasks."""
        return -(-ints["n"] // self.cols), -(-ints["m"] // self.rows), ints["tasks"]

    def cost(self, ints: Ints) -> float:
        """Return waves · entries · price."""
        across, down, tasks = self.blocks(ints)
        waves = -(-across * down * tasks // MULTIPROCESSORS)
        return waves * self.rows * self.cols * self.price


TILES = (Tile(64, 64, 1.0), Tile(32, 32, 1.3), Tile(16, 16, 2.2))


def tiles(symbol: str):
    """Return the launches of a product: a function per tile, named for its rows."""

    def launches(ints: Ints) -> list[Launch]:
        tile = min(TILES, key=lambda tile: tile.cost(ints))
        name = f"{symbol}_{tile.rows}"
        return [Launch(name, tile.blocks(ints), (tile.threads, 1, 1))]

    return launches
