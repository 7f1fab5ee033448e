"""Reading one file from a web address: a bounded number of bytes, no further than the address's own host, and no page's links."""

from __future__ import annotations

import base64
import time
import urllib.error
import urllib.request
from http.client import HTTPMessage, HTTPResponse
from typing import IO, Any
from urllib.parse import unquote, urlsplit, urlunsplit

from bench.errors import RecordError

LARGEST = 256 * 2**20
"""Bytes that are read at most. A record of a million samples has about 20 MB."""

SILENCE_SECONDS = 60.0
"""After which a server that says nothing is given up."""


WHOLE_SECONDS = 600.0
"""After which a server that drips is given up."""

PART = 2**16


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows no redirect to another host or port, nor from https to http."""

    def redirect_request(
        self, request: urllib.request.Request, file: IO[bytes], code: int, words: str, headers: HTTPMessage, new: str
    ) -> urllib.request.Request | None:
        """Return the request to follow. Raises RecordError where it leads elsewhere."""
        here, there = urlsplit(request.full_url), urlsplit(new)
        safer = (here.scheme, there.scheme) == ("http", "https") and here.hostname == there.hostname
        if not safer and (here.scheme, here.netloc) != (there.scheme, there.netloc):
            file.close()
            raise RecordError(
                f"{here.scheme}://{here.netloc} redirects to another place, {there.scheme}://{there.netloc.rpartition('@')[2]:.100}, which is "
                "not followed; give that address, if you trust it"
            )
        return super().redirect_request(request, file, code, words, headers, new)


def fetch(address: str) -> bytes:
    """Return the content of an http or https address, with the user and password that it may name.

    Raises FileNotFoundError where there is nothing, RecordError where it is too large or leads elsewhere, and OSError for what goes wrong on
    the way.
    """
    parts = urlsplit(address)
    user, _, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(urlunsplit(parts._replace(netloc=host, fragment="")))
    if user:
        request.add_header("Authorization", f"Basic {base64.b64encode(unquote(user).encode()).decode()}")
    # Of urllib's handlers only those of the web: an address as ftp: or file: could come from a redirect.
    opener = urllib.request.OpenerDirector()
    handlers: tuple[Any, ...] = (
        urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler, urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor, _SameHost,
    )  # fmt: skip
    for handler in handlers:
        opener.add_handler(handler())
    try:
        with opener.open(request, timeout=SILENCE_SECONDS) as answer:
            content = _whole(answer)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in {404, 410}:
            raise FileNotFoundError(error.code, str(error.reason)) from None
        raise OSError(f"the server says {error.code} {error.reason}") from None
    if len(content) > LARGEST:
        raise RecordError(f"{parts.scheme}://{host} sends more than {LARGEST // 2**20} MiB; expected a record")
    return content


def _whole(answer: HTTPResponse) -> bytes:
    """What a server sends, and one byte beyond ``LARGEST`` at most. Raises OSError where it takes too long."""
    ends, content = time.monotonic() + WHOLE_SECONDS, bytearray()
    while len(content) <= LARGEST and (part := answer.read1(min(PART, LARGEST + 1 - len(content)))):
        content += part
        if time.monotonic() > ends:
            raise OSError(f"the server has sent {len(content):,} bytes in {WHOLE_SECONDS:.0f} s, and no end")
    return bytes(content)
