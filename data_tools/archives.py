"""The two archives of Omniglot, zipped or unpacked, as drawings by character.

Inside an archive, drawing YY of a character is ``ALPHABET/characterNN/XXXX_YY.png``.
What stands before (``python/images_background/`` …), and what else there is
(``__MACOSX``, hidden files), is ignored.
"""

import io
import lzma
import re
import zipfile
import zlib
from pathlib import Path, PurePosixPath

NUM_DRAWINGS = 20
DRAWING = re.compile(r"(?P<character>[^/]+/character\d+)/(?P<file>[^/.][^/]*\.png)")
# What zipfile raises, NotImplementedError and RuntimeError (encrypted) with it.
DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError)
Drawings = dict[str, Path | io.BytesIO]  # by file name, where its bytes are


def find_archive(folder: Path, name: str) -> Path | None:
    """Return ``name.zip`` or the folder ``name`` in a folder, or in its ``python/``."""
    for parent in (folder, folder / "python"):
        for path in (parent / f"{name}.zip", parent / name):
            if path.is_file() or (path.is_dir() and any(path.iterdir())):
                return path
    return None


def read_archive(path: Path) -> dict[str, Drawings]:
    """Return the drawings of an archive, by names ``"Alphabet/characterNN"`` in order.

    Args:
        path: A zip file, or the folder unpacked from it.

    Raises:
        ValueError: If it is not a zip file, or a character has not 20 drawings.
    """
    files = from_folder(path) if path.is_dir() else from_zip(path)
    characters: dict[str, Drawings] = {}
    for name in sorted(files):
        found = DRAWING.fullmatch("/".join(PurePosixPath(name).parts[-3:]))
        if found and "__MACOSX" not in name:
            characters.setdefault(found["character"], {})[found["file"]] = files[name]
    for character, drawings in characters.items():
        if len(drawings) != NUM_DRAWINGS:
            raise ValueError(
                f"{path}: {character} has {len(drawings)} drawings, expected "
                f"{NUM_DRAWINGS}: incomplete; fetch the archive again"
            )
    return characters


def from_folder(path: Path) -> Drawings:
    """Return every PNG file below a folder."""
    return {p.relative_to(path).as_posix(): p for p in path.rglob("*.png")}


def from_zip(path: Path) -> Drawings:
    """Return every PNG file in a zip file.

    Raises:
        ValueError: If it is not a zip file, truncated or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = (n for n in archive.namelist() if n.endswith(".png"))
            return {name: io.BytesIO(archive.read(name)) for name in names}
    except DAMAGE as error:
        raise ValueError(
            f"{path} is not a whole zip file ({error}); fetch it again"
        ) from error
