"""Draws docs/house.svg from the imports of the package, so that it cannot lie.

    python docs/draw_house.py            writes docs/house.svg

Floors lie one upon the other, the lowest at the bottom, with their files as rooms.  The
dots say which floors one imports: all are below it, hence left of the stairs.
"""

import ast
import re
from html import escape
from pathlib import Path

PROJECT = Path(__file__).parents[1]
PACKAGE = PROJECT / "imaml_ref"
ORDER = PROJECT / "tests" / "house" / "test_floors.py"

COLOURS = {
    "ground": "#8a8f98",
    "mathematics": "#3b6fb6",
    "the same, faster": "#3f8f5f",
    "around it": "#b6763b",
}
FASTER = {"fused", "kernels"}
TOP, ROW, ROOMS, WIDE, DOT = 50, 22, 290, 700, 17  # pixels
STYLE = (
    "text{font:12px sans-serif;fill:#222}.name{font-weight:bold;font-size:14px}"
    ".why{fill:#555;font-size:11px}.room{font-size:10px;text-anchor:middle}"
    ".dot{font-size:9px;text-anchor:middle}"
)


def floors() -> dict[str, str]:
    """Return the purpose of each floor, lowest first, as the test has them."""
    listed = ORDER.read_text(encoding="utf-8").partition("FLOORS = [")[2]
    return dict(re.findall(r'"(\w+)",  # (.*)', listed.partition("]")[0]))


def rooms(floor: str) -> list[str]:
    """Return the rooms of a floor: its files, and folders inside it."""
    if (PACKAGE / f"{floor}.py").exists():
        return [f"{floor}.py"]
    inside = [p for p in (PACKAGE / floor).iterdir() if "__" not in p.name]
    shown = [p for p in inside if p.is_dir() or p.suffix in {".py", ".cu"}]
    return sorted(p.name.removesuffix(".py") + "/" * p.is_dir() for p in shown)


def imported(floor: str) -> set[str]:
    """Return the floors that a floor imports."""
    paths = [PACKAGE / f"{floor}.py", *(PACKAGE / floor).rglob("*.py")]
    found = set()
    for path in filter(Path.exists, paths):
        depth = len(path.relative_to(PACKAGE).parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == depth:
                names = [node.module] if node.module else [a.name for a in node.names]
                found |= {name.partition(".")[0] for name in names}
    return found - {floor, "_version"}


def kind(floor: str, order: list[str]) -> str:
    """Return what a floor is about."""
    if floor in FASTER:
        return "the same, faster"
    place = order.index(floor)
    if place < order.index("layers"):
        return "ground"
    return "mathematics" if place <= order.index("meta_gradients") else "around it"


def box(x: float, y: float, width: float, height: float, attributes: str) -> str:
    """Return a rectangle, by its upper left corner."""
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" {attributes}/>'


def text(x: float, y: float, words: str, style: str = "") -> str:
    """Return words that stand on a line."""
    return f'<text x="{x}" y="{y}" class="{style}">{escape(words)}</text>'


def drawn_rooms(names: list[str], top: float, colour: str) -> tuple[list[str], int]:
    """Return the rooms of a floor, row by row, and the number of rows."""
    drawn, x, row = [], ROOMS, 0
    paint = f'rx="2" fill="{colour}" fill-opacity="0.2" stroke="{colour}"'
    for name in names:
        width = 12 + 6 * len(name)
        if x + width > ROOMS + WIDE:
            x, row = ROOMS, row + 1
        y = top + ROW * row
        drawn.append(box(x, y, width - 4, ROW - 4, paint))
        drawn.append(text(x + width / 2 - 2, y + 13, name, "room"))
        x += width
    return drawn, row + 1


def drawn_floor(floor: str, top: float, order: list[str]) -> tuple[list[str], float]:
    """Return one floor from its ceiling down, and its height."""
    number, right = order.index(floor) + 1, ROOMS + WIDE
    colour = COLOURS[kind(floor, order)]
    drawn, rows = drawn_rooms(rooms(floor), top + 10, colour)
    height = max(42, ROW * rows + 16)
    drawn += [
        box(10, top + 4, 5, height - 8, f'fill="{colour}"'),
        text(24, top + 19, f"{number}  {floor}", "name"),
        text(24, top + 34, floors()[floor], "why"),
        box(10, top + height, right + DOT * len(order), 1, 'fill="#ddd"'),
    ]
    for other in sorted(imported(floor), key=order.index):
        x, y = right + DOT * (order.index(other) + 0.5), top + height / 2
        fill = f'fill="{COLOURS[kind(other, order)]}" fill-opacity="0.35"'
        drawn.append(f'<circle cx="{x}" cy="{y}" r="7.5" {fill}/>')
        drawn.append(text(x, y + 3, str(order.index(other) + 1), "dot"))
    stair = f"M{right + DOT * (number - 1)} {top + height}v{-height}h{DOT}"
    drawn.append(f'<path d="{stair}" fill="none" stroke="#999"/>')
    return drawn, height


def house() -> str:
    """Return the drawing, as SVG."""
    order = list(floors())
    width, y = ROOMS + WIDE + DOT * len(order) + 20, float(TOP)
    lines = [text(ROOMS + WIDE, 28, "imports the floors")]
    for i, (words, colour) in enumerate(COLOURS.items()):
        lines.append(box(24 + 150 * i, 18, 12, 12, f'fill="{colour}"'))
        lines.append(text(42 + 150 * i, 28, words))
    for floor in reversed(order):
        drawn, height = drawn_floor(floor, y, order)
        lines, y = lines + drawn, y + height
    size = f'viewBox="0 0 {width} {y + 14:g}" width="{width}" height="{y + 14:g}"'
    paper = box(0, 0, width, y + 14, 'rx="8" fill="#fff"')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    title = "<title>The floors of imaml_ref: what is on them, what they import</title>"
    return "\n".join(
        [head, title, f"<style>{STYLE}</style>", paper, *lines, "</svg>\n"]
    )


if __name__ == "__main__":
    (Path(__file__).parent / "house.svg").write_text(house(), encoding="utf-8")
