"""Records at web addresses: how much is read, and from whom."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.errors import RecordError
from bench.record import web
from bench.record.files import sealed
from bench.record.places import check_place, place_of, read_place, records_at, write_place
from tests.support import records as fake

RECORD = fake.record("r0", [fake.Script(fake.train(), 75.0)])


class Site(BaseHTTPRequestHandler):
    """A record, a page with a link to it, and redirects."""

    asked: list[str]

    def do_GET(self):
        self.asked.append(self.path)
        host = self.headers["Host"]
        to = {
            "/moved/record.json": "/runs/record.json",
            "/away/record.json": f"http://localhost.{host}/runs/record.json",
            "/file/record.json": "file:///etc/passwd",
            "/round/record.json": "/round/record.json",
        }.get(self.path)
        inside = self.path.partition("?")[0] == "/runs/record.json" or self.headers["Authorization"] == "Basic YW5uYTpwQHNz"
        body = sealed(RECORD) if inside else b'<a href="runs/record.json">runs</a>' if self.path == "/" else b""
        self.send_response(302 if to else 200 if body else 404)
        if to:
            self.send_header("Location", to)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        """Nothing."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    Site.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("path", ["/runs", "/runs/record.json", "/runs/record.json?signature=a/b", "/runs?a=b", "/moved"])
def test_a_record_is_read_also_where_its_own_host_has_moved_it(site, path):
    place = place_of(f"http://{site}{path}")
    assert records_at(place) == [place]
    assert read_place(place) == RECORD


def test_user_and_password_are_used_and_not_told(site):
    assert read_place(place_of(f"http://anna:p%40ss@{site}/secret")) == RECORD
    with pytest.raises(RecordError) as refused:
        read_place(place_of(f"http://anna:wrong@{site}/secret"))
    assert "wrong" not in str(refused.value)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/away", "redirects to another place, http://localhost.127.0.0.1:"),
        ("/file", "is not allowed"),
        ("/round", "cannot reach"),
        ("/none", "the links of a page are not followed"),
        ("", "the links of a page are not followed"),
    ],
)
def test_no_other_host_is_asked_and_no_page_is_searched(site, path, sentence):
    with pytest.raises(RecordError, match=sentence):
        read_place(place_of(f"http://{site}{path}"))


def test_no_more_is_read_than_a_record_can_have(site, monkeypatch):
    monkeypatch.setattr(web, "LARGEST", 2**20)
    assert read_place(place_of(f"http://{site}/runs")) == RECORD
    monkeypatch.setattr(web, "LARGEST", 100)
    with pytest.raises(RecordError, match="sends more than 0 MiB"):
        read_place(place_of(f"http://{site}/runs"))


def test_a_server_that_drips_is_given_up(site, monkeypatch):
    monkeypatch.setattr(web, "WHOLE_SECONDS", -1.0)
    with pytest.raises(RecordError, match=r"has sent [\d,]+ bytes in -1 s, and no end"):
        read_place(place_of(f"http://{site}/runs"))


def test_nothing_is_written_there_and_no_other_way_leads_there(site):
    for action in (check_place, lambda place: write_place(RECORD, place)):
        with pytest.raises(RecordError, match="from which records are only read"):
            action(place_of(f"http://{site}/runs"))
    with pytest.raises(RecordError, match="a web address within another"):
        place_of(f"simplecache::http://{site}/runs")


def test_a_host_that_does_not_answer_is_one_sentence():
    with pytest.raises(RecordError, match=r"cannot reach http://127.0.0.1:1/runs: .*refused"):
        read_place(place_of("http://127.0.0.1:1/runs"))


def test_a_published_record_has_the_permissions_of_the_users_files(tmp_path):
    before = os.umask(0o027)
    try:
        written = write_place(RECORD, tmp_path / "shared")
    finally:
        os.umask(before)
    assert stat.S_IMODE(written.stat().st_mode) == 0o640
