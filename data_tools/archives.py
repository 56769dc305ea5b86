"""The two archives of Omniglot, zipped or unpacked, as drawings by character.

Inside an archive, drawing YY of a character is ``ALPHABET/characterNN/XXXX_YY.png``.
What stands before (``python/images_background/`` …), and what else there is
(``__MACOSX``, hidden files), is ignored.
"""

import re
import zipfile
from pathlib import Path, PurePosixPath

NUM_DRAWINGS = 20
DRAWING = re.compile(r"(?P<character>[^/]+/character\d+)/(?P<file>[^/.][^/]*\.png)")
Member = Path | zipfile.Path
Files = dict[str, Member]  # by path below the folder, or in the zip file


def find_archive(folder: Path, name: str) -> Path | None:
    """Return ``name.zip`` or the folder ``name`` in a folder, or in its ``python/``."""
    for parent in (folder, folder / "python"):
        for path in (parent / f"{name}.zip", parent / name):
            if path.is_file() or (path.is_dir() and any(path.iterdir())):
                return path
    return None


def read_archive(path: Path) -> dict[str, Files]:
    """Return the drawings of an archive, by names ``"Alphabet/characterNN"`` in order.

    Args:
        path: A zip file, or the folder unpacked from it.

    Raises:
        ValueError: If it is not a zip file, or a character has not 20 drawings.
    """
    files = files_in(path)
    characters: dict[str, Files] = {}
    for name in files:
        if found := DRAWING.fullmatch("/".join(PurePosixPath(name).parts[-3:])):
            characters.setdefault(found["character"], {})[found["file"]] = files[name]
    for character, drawings in characters.items():
        if len(drawings) != NUM_DRAWINGS:
            raise ValueError(
                f"{path}: {character} has {len(drawings)} drawings, expected "
                f"{NUM_DRAWINGS}: incomplete; fetch the archive again"
            )
    return characters


def files_in(src: Path) -> Files:
    """Return the files below a folder or in a zip file, hidden ones left out.

    Raises:
        ValueError: If it is a file, but no whole zip file.
    """
    found: Files = {p.relative_to(src).as_posix(): p for p in src.rglob("*")}
    if src.is_file():
        try:
            root = zipfile.Path(src)
            found = {name: root.joinpath(name) for name in root.root.namelist()}
        except (zipfile.BadZipFile, RuntimeError) as error:
            raise ValueError(f"{src} is not a whole zip file: {error}") from error
    seen = (n for n in sorted(found) if not re.search(r"(^|/)(\.|__MACOSX)", n))
    return {name: found[name] for name in seen if found[name].is_file()}
