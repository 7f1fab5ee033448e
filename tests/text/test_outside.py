"""Other people's words on their way to a terminal or a log."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.text.outside import begins_line, harmless
from tests.support.site import bench, install, without_own_plugins

UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")


def unseen(text: str) -> list[str]:
    return [one for one in text if unicodedata.category(one) in UNSEEN and one not in "\t\n"]


def test_every_character_that_is_no_text_is_shown_as_its_escape():
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    assert unseen(harmless(every)) == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain: images/s, µ, 画像, é ✓\n\tindented", "plain: images/s, µ, 画像, é ✓\n\tindented"),
        ("\x1b[31mred\x1b]0;title\x07", "\\u001b[31mred\\u001b]0;title\\u0007"),
        ("C1 \x9b31m and \x85", "C1 \\u009b31m and \\u0085"),
        ("\u202egnp.exe\u2066", "\\u202egnp.exe\\u2066"),
        ("\U000e0041 a tag, and half \udce9", "\\udb40\\udc41 a tag, and half \\udce9"),
        ("over\rwritten, dos\r\nlines", "over\\u000dwritten, dos\r\nlines"),
        ("::error::x\n  ::set-output name=a::b\nstd::move", "\\u003a:error::x\n  \\u003a:set-output name=a::b\nstd::move"),
        ("a ##[error]b ##vso[task.complete]", "a #\\u0023[error]b #\\u0023vso[task.complete]"),
    ],
)
def test_words_reach_a_terminal_and_a_log_as_words(text, shown):
    assert harmless(text) == shown


def test_a_line_may_come_in_pieces():
    shown, begins = "", True
    for piece in ("log", "::a\n", "  ", "::b", "::c\n::d", "\n", "::e"):
        shown += harmless(piece, begins)
        begins = begins_line(piece, begins)
    assert shown == "log::a\n  \\u003a:b::c\n\\u003a:d\n\\u003a:e"


@given(st.text() | st.text("\x1b\x9b\u202e#[:\n \r\U000e0041"))
def test_documents_in_json_stay_what_they_are(text):
    written = harmless(json.dumps({"a": text}, ensure_ascii=False, indent=1))
    assert json.loads(written) == {"a": text}
    assert unseen(written) == []


HOSTILE = "raise ImportError('no driver\\n::error::owned\\r##[error]owned \\x1b]0;owned\\x07 \\x9b31m \\u202e \\udce9')"


@pytest.mark.process
@pytest.mark.parametrize("words", [["list"], ["run", "--backend", "hostile"], ["verify", "--backend", "hostile"]])
def test_what_a_plugin_says_is_words_in_every_command(tmp_path, words):
    site = tmp_path / "site"
    install(site, "hostile", {"hostile": "hostile_plugin"}, {"hostile_plugin": HOSTILE})
    without_own_plugins(site)
    done = bench(words, tmp_path, site)
    said = done.stdout + done.stderr
    assert "no driver" in said
    assert unseen(said) == []
    assert not any(line.lstrip().startswith("::") or "##[" in line for line in said.splitlines())
