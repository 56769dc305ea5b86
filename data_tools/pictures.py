"""A picture in a file, whatever Pillow reads, as 8-bit pixels on white paper.

Pillow clips values above 255 when it converts 16-bit, 32-bit and floating-point pixels,
so that they come out black and white.  Here 16 bits become 8 by v/257, where the format
says that 65535 is white; where nothing says which value is white, the file is refused.
Transparent pixels become white.  Of several frames or pages the first is taken.
"""

import io
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy
from PIL import Image, ImageFile

Source = Path | zipfile.Path | io.BytesIO
MODES, CHANNELS = {"grey": "L", "rgb": "RGB"}, {"grey": 1, "rgb": 3}
WIDE = ("I;16", "I;16L", "I;16B", "I;16N", "I")  # Pillow's modes of 16 bits and more
ORIENTATION, BITS, PHOTOMETRIC, SAMPLE_FORMAT = 0x0112, 258, 262, 339  # tags of TIFF
WHITE_IS_ZERO, SIGNED = 0, 2
UPRIGHT = {  # what makes a picture upright, by its orientation in EXIF
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
GREY_STEP = {"L;2": 85, "L;4": 17}  # 255 over the largest value of a narrow PNG


def read_image(path: Path | zipfile.Path, size: int, colour: str) -> numpy.ndarray:
    """Return an image (size, size, channels), uint8, upright and on white paper.

    Args:
        path: Any format that Pillow reads.
        size: Height and width, pixels.
        colour: ``"grey"`` or ``"rgb"``.

    Raises:
        ValueError: If the file cannot be read as an image.
    """
    what = f"{path} cannot be read as an image"
    if not path.is_file():
        raise ValueError(f"{what}: it is no file")
    with opened(path, what) as file:
        small = flat(file, colour).resize((size, size), Image.Resampling.LANCZOS)
    return numpy.asarray(small).reshape(size, size, -1)


def read_as_it_is(source: Source, what: str, colour: str) -> numpy.ndarray:
    """Return an image (H, W, channels), uint8, of its own size, on white paper."""
    with opened(source, f"{what} cannot be read as an image") as file:
        pixels = numpy.asarray(flat(file, colour))
    return pixels.reshape(*pixels.shape[:2], -1)


def flat(file: ImageFile.ImageFile, colour: str) -> Image.Image:
    """Return the image in an open file, upright and on white paper."""
    pixels = with_alpha(file)
    return on_white(upright(pixels, orientation(file))).convert(MODES[colour])


@contextmanager
def opened(
    source: Source, what: str, advice: str = ""
) -> Iterator[ImageFile.ImageFile]:
    """Yield an image file; whatever goes wrong with it meanwhile is said in one line.

    Pillow raises what its decoders happen to raise (TypeError, struct.error, ...), and
    warns of pictures so large that they may be meant to fill the memory.

    Args:
        source: The file, or its bytes.
        what: How the line begins.
        advice: How it ends.

    Raises:
        MemoryError: If there is not enough.
        ValueError: If anything else went wrong.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # By its name, Pillow maps an uncompressed file into memory, and scrambles a
            # TIFF that is to be turned by 90°.
            content = source if isinstance(source, io.BytesIO) else source.open("rb")
            with content as stream, Image.open(stream) as file:
                yield file
    except MemoryError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())
        if not isinstance(error, OSError | ValueError | Warning):
            said = f"{type(error).__name__}: {said}"
        raise ValueError(f"{what}: {said}{advice}") from error


def with_alpha(file: ImageFile.ImageFile) -> Image.Image:
    """Return the pixels of an open file, decoded, of mode RGBA, 8 bits each.

    Raises:
        ValueError: If no format says which value is white.
    """
    packing = rawmode(file)
    key = file.info.get("transparency")
    if packing == "RGB;16B" and key is not None:
        raise ValueError("a transparent colour of 16 bits; save it with 8")
    if packing in GREY_STEP and key is not None:
        file.info["transparency"] = key * GREY_STEP[packing]
    file.load()
    if file.mode in WIDE:
        return narrowed(numpy.asarray(file).astype(numpy.int64), white(file), key)
    if file.mode == "F" or SIGNED in tag(file, SAMPLE_FORMAT):
        raise ValueError(unknown_white(file))
    return file.convert("RGBA")


def rawmode(file: ImageFile.ImageFile) -> str:
    """Return how samples lie in a file that is not decoded yet, in Pillow's words."""
    found = file.tile[0][3] if file.tile else ""
    return found if isinstance(found, str) else ""


def tag(file: ImageFile.ImageFile, number: int) -> tuple:
    """Return the values of a tag of a TIFF file; none if there is none."""
    found = getattr(file, "tag_v2", {}).get(number, ())
    return found if isinstance(found, tuple) else (found,)


def white(file: ImageFile.ImageFile) -> tuple[int, int]:
    """Return the values of black and white of a file of wide pixels.

    Raises:
        ValueError: If its format does not say.
    """
    if file.format in ("PNG", "PPM", "JPEG2000"):
        return 0, 65535
    bits = tag(file, BITS)
    if file.format == "TIFF" and file.mode != "I" and len(bits) == 1:
        ends = 0, 2 ** bits[0] - 1
        return ends[::-1] if WHITE_IS_ZERO in tag(file, PHOTOMETRIC) else ends
    raise ValueError(unknown_white(file))


def unknown_white(file: ImageFile.ImageFile) -> str:
    """Say why the pixels of a file have no meaning."""
    return (
        f"nothing says which value of its {file.format} pixels is white (Pillow's mode "
        f"{file.mode}); save it as PNG of 8 or 16 bits"
    )


def narrowed(
    values: numpy.ndarray, ends: tuple[int, int], key: int | None
) -> Image.Image:
    """Return pixels (H, W) as an image of mode RGBA.

    Args:
        values: Of any range.
        ends: Those of black and of white.
        key: The value that is transparent, if there is one.
    """
    black, paper = ends
    grey = numpy.rint((values - black) * (255 / (paper - black))).clip(0, 255)
    alpha = numpy.where(values == key, 0, 255) if key is not None else 255 + 0 * grey
    pixels = numpy.stack([grey, grey, grey, alpha], -1).astype(numpy.uint8)
    return Image.fromarray(pixels)


def orientation(file: ImageFile.ImageFile) -> Any:
    """Return how an open file that was decoded is to be turned, by its EXIF.

    Pillow's exif_transpose would turn it, but writes the EXIF anew and stumbles over
    what is odd in it.  A TIFF file is turned when it is decoded, whatever is left in
    its EXIF.
    """
    return 1 if file.format == "TIFF" else file.getexif().get(ORIENTATION)


def upright(image: Image.Image, how: Any) -> Image.Image:
    """Return an image turned as EXIF says."""
    turn = UPRIGHT.get(how)
    return image if turn is None else image.transpose(turn)


def on_white(image: Image.Image) -> Image.Image:
    """Return an image of mode RGBA on white paper."""
    paper = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(paper, image)
