"""Header and envelope of messages that programs pass to sendmail."""

from __future__ import annotations

import contextlib
import io
import time
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmapsync.formats.envelope import Reports
from jmapsync.formats.outgoing import (
    MOST_HEADER,
    PIECE,
    OutgoingError,
    complete,
    pieces_of,
    recipients_of,
    reports_of,
    sender_of,
    take_header,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def read(data: bytes, *, dot_ends: bool = False) -> tuple[bytes, bytes]:
    """Return the header's fields and the body, as they are read."""
    pieces = pieces_of(io.BytesIO(data).readline, dot_ends=dot_ends)
    header, first = take_header(pieces)
    return b"\n".join(header.fields), b"".join([*first, *pieces])


def finish(data: bytes, *recipients: str, sender: str = "alice@example.com", full_name: str = "") -> bytes:
    header, _ = take_header(iter(io.BytesIO(data).readlines()))
    return complete(header, sender=sender, recipients=recipients or ("bob@example.com",), now=NOW, full_name=full_name)[0]


# Reading


@pytest.mark.parametrize(
    ("data", "fields", "body"),
    [
        (b"A: 1\nB: 2\n\nbody\n", b"A: 1\nB: 2", b"body\n"),
        (b"A: 1\r\n\r\nbody\r\n", b"A: 1", b"body\r\n"),
        (b"A: 1\n folded\n\tmore\n\n", b"A: 1\r\n folded\r\n\tmore", b""),
        (b"A: 1", b"A: 1", b""),
        (b"", b"", b""),
        (b"\nbody\n", b"", b"body\n"),
        (b"From alice Mon Nov 23\nA: 1\n\nbody\n", b"A: 1", b"body\n"),
        (b"A: 1\nno field at all\nB: 2\n\n", b"A: 1", b"no field at all\nB: 2\n\n"),
        (b"just a line\n", b"", b"just a line\n"),
        (b"A : 1\n\n", b"A : 1", b""),
    ],
)
def test_the_header_ends_with_an_empty_line_or_where_a_line_is_no_field(data: bytes, fields: bytes, body: bytes) -> None:
    assert read(data) == (fields, body)


@pytest.mark.parametrize("end", [b".\n", b".\r\n", b"."])
def test_a_line_with_a_single_dot_ends_the_message_if_asked_for(end: bytes) -> None:
    data = b"A: 1\n\none\n..\n. \n" + end
    assert read(data + b"two\n" * (end != b"."), dot_ends=True)[1] == b"one\n..\n. \n"
    assert read(data + b"two\n")[1] == b"one\n..\n. \n" + end + b"two\n"


def test_a_long_line_that_goes_on_with_a_dot_does_not_end_the_message() -> None:
    body = b"x" * PIECE + b".\nmore\n"
    assert read(b"A: 1\n\n" + body, dot_ends=True)[1] == body


@pytest.mark.parametrize("data", [b"A: " + b"x" * PIECE + b"\n\n", b"A: 1\n" * (MOST_HEADER // 5 + 1) + b"\n"])
def test_what_is_too_long_for_a_header_is_none(data: bytes) -> None:
    with pytest.raises(OutgoingError, match="too long"):
        read(data)


@given(st.binary(max_size=300))
def test_no_octet_of_the_body_is_lost(body: bytes) -> None:
    assert read(b"A: 1\n\n" + body)[1] == body


# The envelope


def test_recipients_are_those_of_to_cc_and_bcc() -> None:
    lines = [b'To: "Bob, B." <bob@example.com>, c@example.com\n', b"Cc: list: d@example.com;\n", b"Bcc:\n", b" e@example.com\n"]
    header, _ = take_header(iter(lines))
    assert recipients_of(header) == ["bob@example.com", "c@example.com", "d@example.com", "e@example.com"]


def test_of_a_message_sent_again_only_the_new_recipients_and_the_new_sender_count() -> None:
    lines = [
        b"From: bob@example.com\n",
        b"To: old@example.com\n",
        b"Resent-From: alice@example.com\n",
        b"Resent-To: new@example.com\n",
    ]
    header, _ = take_header(iter(lines))
    assert (sender_of(header), recipients_of(header)) == ("alice@example.com", ["new@example.com"])


@pytest.mark.parametrize(
    "blocks",
    [
        pytest.param(
            "Resent-From: c@x.example\nResent-To: d@x.example\nResent-From: a@x.example\nResent-To: b@x.example\n", id="adjacent"
        ),
        pytest.param(
            "Received: by x\nResent-From: c@x.example\nResent-To: d@x.example\nReceived: by y\n"
            "Resent-From: a@x.example\nResent-To: b@x.example\nResent-Cc: e@x.example\n",
            id="between trace fields",
        ),
        pytest.param(
            "Resent-To: d@x.example\nResent-Sender: c@x.example\nResent-From: f@x.example\nResent-To: b@x.example\n", id="sender"
        ),
    ],
)
def test_of_a_message_sent_again_twice_only_the_latest_block_counts(blocks: str) -> None:
    """RFC 5322, 3.6.6: each block is put before those that are there."""
    header, _ = take_header(iter((blocks + "From: o@x.example\nTo: p@x.example\n").encode().splitlines(keepends=True)))
    assert (sender_of(header), recipients_of(header)) == ("c@x.example", ["d@x.example"])


def test_recipients_on_several_lines_of_one_block_are_all_of_it() -> None:
    lines = [b"Resent-To: a@x.example\n", b"Resent-To: b@x.example\n", b"Resent-Bcc: c@x.example\n", b"To: d@x.example\n"]
    header, _ = take_header(iter(lines))
    assert recipients_of(header) == ["a@x.example", "b@x.example", "c@x.example"]


def test_a_block_of_resent_fields_gets_what_it_lacks_in_front_of_it() -> None:
    lines = [
        b"Resent-To: a@x.example\n",
        b"Resent-Bcc: b@x.example\n",
        b"From: o@x.example\n",
        b"Date: x\n",
        b"Message-ID: <1@x>\n",
    ]
    header, _ = take_header(iter(lines))
    text, _ = complete(header, sender="c@x.example", recipients=recipients_of(header), now=NOW)
    names = [line.partition(b":")[0].decode() for line in text.splitlines() if line]
    assert names == ["Resent-From", "Resent-Date", "Resent-To", "From", "Date", "Message-ID"]
    header, _ = take_header(iter([b"Received: x\n", *lines]))
    text, _ = complete(header, sender="c@x.example", recipients=recipients_of(header), now=NOW)
    assert b"Resent-Date" not in text


def test_many_resent_fields_are_read_in_linear_time() -> None:
    header, _ = take_header(iter(f"Resent-{number}: x\n".encode() for number in range(60_000)))
    assert len(header.resent().fields) == 60_000


def test_the_envelope_has_domains_in_ascii() -> None:
    header, _ = take_header(iter(["From: jürgen@exämple.example\n".encode()]))
    text, envelope = complete(
        header, sender="jürgen@exämple.example", recipients=["Bob <bob@Bücher.example>", "用户@例子.example"], now=NOW
    )
    assert (envelope.sender, envelope.recipients) == (
        "jürgen@xn--exmple-cua.example",
        ("bob@xn--bcher-kva.example", "用户@xn--fsqu00a.example"),
    )
    assert (envelope.needs_utf8, envelope.is_utf8) == (True, True)
    assert text.startswith(b"Date:")
    assert "From: jürgen@exämple.example".encode() in text
    _, envelope = complete(header, sender="a@exämple.example", recipients=["b@x.example", "b@xn--Bcher-kva.example"], now=NOW)
    assert not envelope.needs_utf8


def test_a_domain_that_has_no_form_in_ascii_is_refused() -> None:
    header, _ = take_header(iter([b"A: 1\n"]))
    with pytest.raises(OutgoingError, match="not a valid international domain name"):
        complete(header, sender="a@x.example", recipients=["b@\u0661a\u06f1.example"], now=NOW)


@pytest.mark.parametrize(
    ("options", "reports"),
    [
        (("", "", ""), Reports()),
        (("never", "", ""), Reports("NEVER")),
        (("failure,success", "hdrs", "x"), Reports("FAILURE,SUCCESS", "HDRS", "x")),
        (("Delay, DELAY", "FULL", ""), Reports("DELAY", "FULL")),
    ],
)
def test_delivery_reports_are_asked_for_as_sendmail_does(options: tuple[str, str, str], reports: Reports) -> None:
    assert reports_of(*options) == reports


@pytest.mark.parametrize(
    "options", [("never,success", "", ""), ("sometimes", "", ""), ("", "all", ""), ("", "", "x" * 101), ("", "", "ü")]
)
def test_what_rfc_3461_does_not_define_is_refused(options: tuple[str, str, str]) -> None:
    with pytest.raises(OutgoingError, match="nothing was sent"):
        reports_of(*options)


@pytest.mark.parametrize(
    ("lines", "sender"),
    [
        (b"From: Alice <alice@example.com>\n\n", "alice@example.com"),
        (b"From: a@example.com, b@example.com\nSender: b@example.com\n\n", "b@example.com"),
        (b"From: root\n\n", ""),
        (b"To: bob@example.com\n\n", ""),
        (b"From: =?utf-8?q?J=C3=BCrgen?= <j@example.com>\n\n", "j@example.com"),
        ("From: Jürgen <jürgen@exämple.com>\n\n".encode(), "jürgen@exämple.com"),
    ],
)
def test_who_sends_it(lines: bytes, sender: str) -> None:
    header, _ = take_header(iter(io.BytesIO(lines).readlines()))
    assert sender_of(header) == sender


@pytest.mark.parametrize("named", ["Bob <bob@example.com>", "<bob@example.com>", '"B, B." <bob@example.com>', "bob@example.com"])
def test_a_recipient_may_be_named_with_a_name(named: str) -> None:
    header, _ = take_header(iter([b"A: 1\n"]))
    assert complete(header, sender="a@example.com", recipients=[named], now=NOW)[1].recipients == ("bob@example.com",)


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?q?=C3=9Cber?= =?utf-8?q?_alles?=", "Über alles"),
        ("Über".encode(), "Über"),
        (b"\xdcber", "\N{REPLACEMENT CHARACTER}ber"),
        (b"=?no-such?q?x?=", "=?no-such?q?x?="),
        (b"=?utf-8?b?x?=", "=?utf-8?b?x?="),
        (b"a\x1b[2Jb", "a\N{REPLACEMENT CHARACTER}[2Jb"),
        (b"x" * 100, "x" * 79 + "…"),
    ],
)
def test_the_subject_that_people_see_is_one_that_a_terminal_and_a_note_can_bear(subject: bytes, shown: str) -> None:
    header, _ = take_header(iter([b"Subject: " + subject + b"\n", b"Message-ID: <\xff@x>\n"]))
    envelope = complete(header, sender="a@example.com", recipients=["b@example.com"], now=NOW)[1]
    assert envelope.subject == shown
    assert msgspec.json.decode(msgspec.json.encode(envelope), type=type(envelope)) == envelope


def test_a_message_without_sender_is_refused() -> None:
    header, _ = take_header(iter([b"A: 1\n"]))
    with pytest.raises(OutgoingError, match="no sender"):
        complete(header, sender="", recipients=["b@example.com"], now=NOW)


@pytest.mark.parametrize(
    "address",
    ["root", "a b@example.com", "a@example.com\r\nBcc: x@y", "@example.com", "a@", "", "\udcff@example.com"],
)
def test_what_is_no_address_is_refused_by_name(address: str) -> None:
    with pytest.raises(OutgoingError, match="not an address"):
        finish(b"A: 1\n\n", address)


def test_nobody_to_send_to_is_refused() -> None:
    header, _ = take_header(iter([b"A: 1\n"]))
    with pytest.raises(OutgoingError, match="no recipients"):
        complete(header, sender="a@example.com", recipients=[], now=NOW)


# The header that leaves


def test_a_whole_header_stays_as_it_is_save_for_secret_recipients() -> None:
    """Cyrus 3.6.1 and 3.12.4 send `Bcc` on to everybody."""
    first = b"Date: Mon, 23 Nov 2026 12:00:00 +0000\nFrom: Alice <alice@example.com>\nMessage-ID: <1@example.com>\n"
    secret = b"Bcc: secret@example.com,\n other@example.com\nReturn-Path: <a@b>\n"
    last = b"Subject: =?utf-8?q?x?=\n folded \nX-8bit: \xe4\n"
    header, rest = take_header(iter(io.BytesIO(first + secret + last + b"\n").readlines()))
    assert rest == []
    sent, envelope = complete(header, sender="alice@example.com", recipients=["bob@example.com"] * 2, now=NOW)
    assert sent == (first + last + b"\n").replace(b"\n", b"\r\n")
    assert (envelope.recipients, envelope.message_id) == (("bob@example.com",), "<1@example.com>")


def test_what_is_missing_is_added() -> None:
    sent = finish(b"Subject: cron\nMessage-ID:\n\n", full_name="Root, of all")
    assert sent.startswith(b'From: "Root, of all" <alice@example.com>\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\nMessage-ID: <')
    assert sent.endswith(b"@example.com>\r\nSubject: cron\r\n\r\n")
    assert sent.lower().count(b"message-id") == 1


# What could be taken for more than it is


@pytest.mark.parametrize(
    "field",
    [b"To: a@exam ple.com", b"Cc: ok@example.com, a@example.com SIZE=1", b"Bcc: (((", b"To: a@x.example; b@x.example", b"To: root"],
)
def test_a_bad_address_in_the_header_refuses_the_whole_message_by_name(field: bytes) -> None:
    header, _ = take_header(iter([b"To: fine@example.com\n", field + b"\n"]))
    with pytest.raises(OutgoingError, match="not an address with a domain; nothing was sent"):
        recipients_of(header)


def test_only_the_address_in_angle_brackets_gets_the_message() -> None:
    header, _ = take_header(iter([b"To: a@x.example <b@y.example>\n"]))
    assert recipients_of(header) == ["b@y.example"]


def test_a_recipient_named_twice_gets_one_message() -> None:
    header, _ = take_header(iter([b"A: 1\n"]))
    named = ["Bob@example.com", "bob <Bob@EXAMPLE.com>", "bob@example.com", '"Bob"@example.com']
    envelope = complete(header, sender="a@example.com", recipients=named, now=NOW)[1]
    assert envelope.recipients == ("Bob@example.com", "bob@example.com")


@pytest.mark.parametrize("sender", ["a@exam ple.com", "a@example.com SIZE=1", "Alice <a@example.com>", "a@example.com\r\nX: y"])
def test_a_sender_that_is_no_address_is_refused(sender: str) -> None:
    with pytest.raises(OutgoingError, match="not an address"):
        finish(b"A: 1\n\n", sender=sender)


def test_a_from_with_a_broken_address_is_refused_and_never_another_one() -> None:
    header, _ = take_header(iter([b"From: a@exam ple.com\n"]))
    with pytest.raises(OutgoingError, match="'a@exam ple\\.com': not an address"):
        sender_of(header)


@pytest.mark.parametrize("name", ["N\r\nBcc: x@y", "N\nBcc: x@y", "N\x00", "N\x1b[2J", "N\u2028", "N\x85B", "N\udcff", "n" * 400])
def test_a_name_that_no_header_line_can_hold_is_refused(name: str) -> None:
    with pytest.raises(OutgoingError, match="nothing was sent"):
        finish(b"A: 1\n\n", full_name=name)


@pytest.mark.parametrize(
    ("name", "sender", "field"),
    [
        ("Bob Root", "a@example.com", b"From: Bob Root <a@example.com>\r\n"),
        ('B, "R" \\', "a@example.com", rb'From: "B, \"R\" \\" <a@example.com>' + b"\r\n"),
        ("Jürgen", "jürgen@exämple.com", "From: =?utf-8?q?J=C3=BCrgen?= <jürgen@exämple.com>\r\n".encode()),
        ("", "jürgen@exämple.com", "From: jürgen@exämple.com\r\n".encode()),
    ],
)
def test_a_missing_from_is_made_of_the_name_and_the_address(name: str, sender: str, field: bytes) -> None:
    assert finish(b"A: 1\n\n", full_name=name, sender=sender).startswith(field)


@pytest.mark.parametrize("line", [b"Subject: x\rBcc: y@z", b"Subject: x\x00y", b"Subject: x\r\r", b"X: a\n b\rBcc: y@z"])
def test_a_header_line_that_some_server_would_end_early_is_refused(line: bytes) -> None:
    with pytest.raises(OutgoingError, match="a CR or NUL inside a line"):
        read(b"A: 1\n" + line + b"\n\n")


@pytest.mark.parametrize(
    "data",
    [b"To: " + b"(" * 60_000, b"To: a@b.example\n" + b" \n" * 300_000, b"A:\n" * 300_000, b"To: x@y.example,\n" * 50_000],
    ids=["comments", "folds", "fields", "recipients"],
)
def test_a_header_of_any_make_is_read_or_refused_in_a_moment(data: bytes) -> None:
    started = time.process_time()
    header, _ = take_header(iter(io.BytesIO(data + b"\n\n").readlines()))
    with contextlib.suppress(OutgoingError):
        named = recipients_of(header) or ["b@example.com"]
        complete(header, sender="a@example.com", recipients=named, now=NOW)
    assert time.process_time() - started < 10
