"""Downloads: from a server of our own, right, wrong and absent."""

import hashlib
import socket
import threading
from http.server import HTTPServer, SimpleHTTPRequestHandler

import pytest

from data_tools import download, omniglot
from data_tools.download import DownloadError, fetch_omniglot

FILES = {"images_background.zip": b"background" * 999, "images_evaluation.zip": b"eval"}
MD5 = {name: hashlib.md5(content).hexdigest() for name, content in FILES.items()}


class Server:
    """An HTTP server of a folder on this machine, which counts what it is asked for."""

    def __init__(self, root):
        asked = self.asked = []

        class Handler(SimpleHTTPRequestHandler):
            def __init__(self, *args):
                super().__init__(*args, directory=root)

            def do_GET(self):
                asked.append(self.path)
                super().do_GET()

            def log_message(self, *args):
                pass

        self.root = root
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def server(tmp_path):
    root = tmp_path / "served"
    (root / "python").mkdir(parents=True)
    for name, content in FILES.items():
        (root / "python" / name).write_bytes(content)
    server = Server(root)
    yield server
    server.stop()


def fetch(folder, url, **changes):
    return fetch_omniglot(
        folder, **{"base_url": f"{url}/python/", "md5": MD5} | changes
    )


def test_archives_are_fetched_once_and_whole(server, tmp_path):
    folder = tmp_path / "new" / "folder"
    paths = fetch(folder, server.url)
    assert paths == [folder / name for name in FILES]
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == FILES
    assert server.asked == [f"/python/{name}" for name in FILES]
    assert fetch(folder, server.url + "/gone") == paths
    assert len(server.asked) == 2


def test_another_digest_is_refused_and_not_kept(server, tmp_path):
    name = "images_evaluation.zip"
    (server.root / "python" / name).write_bytes(b"something else")
    expected = rf"{name} does not have MD5 {MD5[name]}: not the original archive"
    with pytest.raises(DownloadError, match=expected) as caught:
        fetch(tmp_path / "new", server.url)
    assert "\n" not in str(caught.value)
    kept = [p.name for p in (tmp_path / "new").iterdir()]
    assert kept == ["images_background.zip"]


def test_what_is_not_on_the_server_is_named(server, tmp_path):
    (server.root / "python" / "images_background.zip").unlink()
    expected = r"cannot fetch http://.*/images_background\.zip: 404 .*; nothing kept"
    with pytest.raises(DownloadError, match=expected) as caught:
        fetch(tmp_path / "new", server.url)
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "new").iterdir()) == []


def test_a_server_that_is_not_there_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(DownloadError, match=r"cannot fetch http://127") as caught:
        fetch(tmp_path / "new", url)
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "new").iterdir()) == []


def test_another_file_of_that_name_is_not_overwritten(server, tmp_path):
    mine = tmp_path / "images_background.zip"
    mine.write_bytes(b"packed anew")
    with pytest.raises(DownloadError, match=r"is there but has MD5 .*move it away"):
        fetch(tmp_path, server.url)
    assert mine.read_bytes() == b"packed anew"
    assert server.asked == []


def test_the_published_address_and_digests():
    assert download.BASE_URL == (
        "https://github.com/brendenlake/omniglot/raw/master/python/"
    )
    assert download.MD5 == {
        "images_background.zip": "68d2efa1b9178cc56df9314c21c6e718",
        "images_evaluation.zip": "6b91aef0f799c5bb55b94e3f2daec811",
    }


def test_packing_fetches_only_if_asked_to(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(omniglot, "fetch_omniglot", asked.append)
    for fetching in (False, True):
        with pytest.raises(FileNotFoundError, match=r"no images_background"):
            omniglot.pack_omniglot(tmp_path, tmp_path / "o.h5", download=fetching)
    assert asked == [tmp_path]
