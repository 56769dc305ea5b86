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
    """Rows, columns and depth of a tile, and the price of a multiply-add."""

    rows: int
    cols: int
    depth: int
    price: float

    def blocks(self, ints: Ints) -> tuple[int, int, int]:
        """Return the blocks along n, along m, and tasks."""
        return -(-ints["n"] // self.cols), -(-ints["m"] // self.rows), ints["tasks"]

    def cost(self, ints: Ints) -> float:
        """Return waves · multiply-adds · price."""
        across, down, tasks = self.blocks(ints)
        waves = -(-across * down * tasks // MULTIPROCESSORS)
        depth = -(-ints["k"] // self.depth) * self.depth
        return waves * self.rows * self.cols * depth * self.price


# As in products.cu: a thread has 8 × 8 entries, 8 × 4, 4 × 4 and 2 × 4.
TILES = (
    Tile(64, 64, 16, 1.0),
    Tile(32, 32, 32, 1.5),
    Tile(32, 16, 32, 2.0),
    Tile(16, 16, 64, 3.0),
)
# As in tensor.cu: a warp has 32 × 32, 32 × 32, 32 × 16 and 16 × 16.
TENSOR_TILES = (
    Tile(64, 64, 16, 1.0),
    Tile(32, 32, 64, 1.2),
    Tile(32, 16, 64, 1.5),
    Tile(16, 16, 64, 2.0),
)
THREADS = 256


def tiles(symbol: str, choice: tuple[Tile, ...] = TILES):
    """Return the launches of a product: a function per tile, named for its size."""

    def launches(ints: Ints) -> list[Launch]:
        tile = min(choice, key=lambda tile: tile.cost(ints))
        name = f"{symbol}_{tile.rows}x{tile.cols}"
        return [Launch(name, tile.blocks(ints), (THREADS, 1, 1))]

    return launches


# As in conv.cu and conv_tensor.cu.
CONV_TILES, CONV_TENSOR_TILES = TILES[:2], TENSOR_TILES[:2]
FEW_ROWS = 64  # two tiles of 32


def conv_rows(symbol: str):
    """Return the launches of a convolution: a block per task and 16 filters."""

    def launches(ints: Ints) -> list[Launch]:
        rows = ints["examples"] * ints["out_height"] * ints["out_width"]
        name = f"{symbol}_{32 if rows <= FEW_ROWS else 128}"
        grid = (-(-ints["filters"] // 16), ints["tasks"], 1)
        return [Launch(name, grid, (THREADS, 1, 1))]

    return launches


def conv_tiles(symbol: str, choice: tuple[Tile, ...] = CONV_TILES):
    """Return the launches of the gradient in the kernel, a product of patches."""

    def launches(ints: Ints) -> list[Launch]:
        m = ints["size_h"] * ints["size_w"] * ints["channels"]
        k = ints["examples"] * ints["out_height"] * ints["out_width"]
        sizes = {"tasks": ints["tasks"], "m": m, "n": ints["filters"], "k": k}
        return tiles(symbol, choice)(sizes)

    return launches
