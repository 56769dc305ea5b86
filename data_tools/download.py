"""Fetch the original archives of Omniglot, and know that they are the original ones."""

import hashlib
import sys
from pathlib import Path

BASE_URL = "https://github.com/brendenlake/omniglot/raw/master/python/"
MD5 = {  # as published with the data set
    "images_background.zip": "68d2efa1b9178cc56df9314c21c6e718",
    "images_evaluation.zip": "6b91aef0f799c5bb55b94e3f2daec811",
}


class DownloadError(OSError):
    """An archive could not be fetched, or is not the original one."""


def fetch_omniglot(
    folder: Path, *, base_url: str = BASE_URL, md5: dict[str, str] = MD5
) -> list[Path]:
    """Fetch the archives that are not in a folder yet, and check their digests.

    Args:
        folder: Where they go; made if it is not there.
        base_url: Address of the folder that they are fetched from.
        md5: Digests by file name, hexadecimal.

    Returns:
        The archives.

    Raises:
        DownloadError: If one cannot be fetched or has another digest.  It is not kept.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return [fetch(folder / name, base_url, digest) for name, digest in md5.items()]


def fetch(path: Path, base_url: str, md5: str) -> Path:
    """Fetch one file, unless it is there.

    Raises:
        DownloadError: If it cannot be fetched, or it, or the file that is there, has
            another digest.
    """
    if path.exists():
        found = hashlib.md5(path.read_bytes()).hexdigest()
        if found != md5:
            raise DownloadError(
                f"{path} is there but has MD5 {found}, expected {md5}; "
                "move it away, or pack it without --download"
            )
        return path
    url = base_url.rstrip("/") + "/" + path.name
    # Imported here: only a download needs it.
    import pooch
    import requests

    print(f"fetching {url}", file=sys.stderr)
    pooch.get_logger().setLevel("ERROR")
    # Not streamed, so that requests closes the connection whatever comes.
    whole = pooch.HTTPDownloader(stream=False)
    where = {"fname": path.name, "path": path.parent}
    try:
        pooch.retrieve(url, known_hash=f"md5:{md5}", downloader=whole, **where)
    except (requests.RequestException, OSError) as error:
        raise DownloadError(f"cannot fetch {url}: {error}; nothing kept") from error
    except ValueError as error:
        raise DownloadError(
            f"{url} does not have MD5 {md5}: not the original archive; nothing kept"
        ) from error
    return path
