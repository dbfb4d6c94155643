"""Weights are downloaded whole or not at all, and a download that broke off goes on. The server is this machine."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.tiny_cellpose import shrink_sam, write_small_weights

from cellvote.errors import CancelledError, WeightsError
from cellvote.progress import CancelToken, Progress
from cellvote.segmentation.cellpose import download
from cellvote.segmentation.cellpose.download import download_weights


class Server(ThreadingHTTPServer):
    """Serves one file; ``ranges`` is what was asked for."""

    content = b""
    etag = '"1"'
    breaks_off_at = 0
    knows_ranges = True
    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.ranges: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file"


class Answer(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers.get("Range")
        server.ranges.append(wanted)
        start = 0
        if wanted and server.knows_ranges and self.headers.get("If-Range") == server.etag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(server.content):
                self.send_error(416)
                return
        if server.status != 200:
            self.send_error(server.status)
            return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", server.etag)
        self.end_headers()
        self.wfile.write(body[: server.breaks_off_at or None])

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    shrink_sam(monkeypatch)
    monkeypatch.setattr(download, "_CHUNK", 2**14)
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path / "models"))
    with Server() as served:
        served.content = write_small_weights(tmp_path / "served").read_bytes()
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield served
        served.shutdown()
        thread.join()


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_download_is_told_of_and_put_into_the_folder_of_models(server: Server, tmp_path: Path) -> None:
    told: list[Progress] = []
    path = download_weights("cpsam", url=server.url, report=told.append)
    assert path == tmp_path / "models" / "cpsam"
    assert path.read_bytes() == server.content
    assert files(path.parent) == ["cpsam"]
    assert len(told) > 3
    assert told[-1].where == "cpsam"
    assert told[-1].done == told[-1].total


def test_a_cancelled_download_goes_on_where_it_was(server: Server, tmp_path: Path) -> None:
    token = CancelToken()
    told: list[Progress] = []

    def cancel_at_the_third(progress: Progress) -> None:
        told.append(progress)
        if len(told) == 3:
            token.cancel()

    with pytest.raises(CancelledError):
        download_weights("cpsam", url=server.url, report=cancel_at_the_third, cancel=token)
    part = tmp_path / "models" / "cpsam.part"
    n_bytes = part.stat().st_size
    assert 0 < n_bytes < len(server.content)
    assert not (tmp_path / "models" / "cpsam").exists()
    path = download_weights("cpsam", url=server.url)
    assert server.ranges == [None, f"bytes={n_bytes}-"]
    assert path.read_bytes() == server.content
    assert files(path.parent) == ["cpsam"]


def test_a_broken_connection_keeps_what_came(server: Server, tmp_path: Path) -> None:
    server.breaks_off_at = 50_000
    with pytest.raises(WeightsError, match=r"broke off at 50,000 of|cannot be reached"):
        download_weights("cpsam", url=server.url)
    assert not (tmp_path / "models" / "cpsam").exists()
    server.breaks_off_at = 0
    assert download_weights("cpsam", url=server.url).read_bytes() == server.content
    assert server.ranges[1] == "bytes=50000-"


@pytest.mark.parametrize("change", ["another version", "no ranges"])
def test_parts_of_two_versions_are_never_put_together(server: Server, tmp_path: Path, change: str) -> None:
    server.breaks_off_at = 50_000
    with pytest.raises(WeightsError):
        download_weights("cpsam", url=server.url)
    server.breaks_off_at = 0
    if change == "another version":
        server.etag = '"2"'
        server.content = write_small_weights(tmp_path / "again").read_bytes()
    else:
        server.knows_ranges = False
    assert download_weights("cpsam", url=server.url).read_bytes() == server.content


def test_a_part_that_is_the_whole_file_already_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    server.breaks_off_at = 50_000
    with pytest.raises(WeightsError):
        download_weights("cpsam", url=server.url)
    server.breaks_off_at = 0
    (tmp_path / "models" / "cpsam.part").write_bytes(server.content + b"more")
    assert download_weights("cpsam", url=server.url).read_bytes() == server.content


def test_a_web_page_in_place_of_weights_replaces_nothing(server: Server, tmp_path: Path) -> None:
    before = download_weights("cpsam", url=server.url).read_bytes()
    server.content, server.etag = b"<!DOCTYPE html><html>quota exceeded</html>", '"3"'
    with pytest.raises(WeightsError, match="what came is not cpsam: is a web page"):
        download_weights("cpsam", url=server.url)
    assert (tmp_path / "models" / "cpsam").read_bytes() == before
    assert files(tmp_path / "models") == ["cpsam"]


def test_what_the_server_refuses_is_said_with_the_way_out(server: Server, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(WeightsError, match=r"answered 404 .*fetch .* elsewhere and copy it to .*cpsam"):
        download_weights("cpsam", url=server.url)


def test_a_server_that_is_not_there_is_said_with_the_way_out(tmp_path: Path) -> None:
    with Server() as closed:
        url = closed.url
    with pytest.raises(WeightsError, match=r"cannot be reached .*Without a network"):
        download_weights("cpsam", tmp_path, url=url)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("model", "url"), [("cyto3", ""), ("cpsam", "file:///etc/passwd"), ("cpsam", "ftp://x/y")])
def test_only_known_models_and_web_addresses_are_fetched(tmp_path: Path, model: str, url: str) -> None:
    with pytest.raises(WeightsError):
        download_weights(model, tmp_path, url=url)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_too_full_is_said_before_anything_is_fetched(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = download.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(WeightsError, match="are needed, 0 MiB are free"):
        download_weights("cpsam", url=server.url)
    assert files(tmp_path / "models") == []
