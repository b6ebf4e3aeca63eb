"""What is logged: each step with -v, each request with -v -v, as lines or as JSON, and never a secret."""

from __future__ import annotations

import json
import logging
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.cli.log import JournalFormatter, JsonFormatter, SafeFormatter, without_queries
from tests.cli.conftest import PROGRAM
from tests.cli.daemons import QUIET

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer
    from tests.cli.conftest import Command, Home


def objects(text: str) -> list[dict[str, Any]]:
    """Return the objects of a log; fail for a line that is not one."""
    found = [json.loads(line) for line in text.splitlines()]
    for one in found:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", one["time"])
        assert one["level"] in {"debug", "info", "warning", "error"}
        assert one["message"]
    return found


class TestSteps:
    def test_are_logged_with_v_as_a_dry_run_lists_them(self, process: Command, server: DemoServer) -> None:
        process("sync")
        server.account.deliver(b"From: Bob <b@example.com>\r\nSubject: hello\r\n\r\nx\r\n")
        server.account.create_mailbox("Later")
        foreseen = [line.partition(": ")[2].rpartition("INBOX: ")[2] for line in process("sync", "--dry-run").out.splitlines()]
        done = process("-v", "sync")
        lines = [line.partition(" jmapsync.steps: home mail: ")[2] for line in done.err.splitlines()]
        assert lines[0] == "listing mail"
        [folder, message] = foreseen
        assert folder in lines
        assert any(line.startswith('create "hello" from Bob <b@example.com> (') and line.endswith(message[-30:]) for line in lines)
        assert "GET" not in done.err
        assert "POST" not in done.err

    def test_are_not_logged_without_it(self, process: Command) -> None:
        assert process("sync").err == ""

    def test_of_a_change_that_was_overtaken_say_so(self, process: Command, home: Home) -> None:
        process("sync")
        file = next(file for file in home.inbox() if file.parent.name == "cur")
        file.rename(f"{str(file).partition(':')[0]}:2,FRS")
        err = process("-v", "sync").err
        assert re.search(r"home mail: update .* on the server: flagged here: ", err)


class TestRequests:
    def test_are_logged_with_vv_without_queries_and_secrets(self, process: Command, home: Home) -> None:
        done = process("-vv", "sync")  # the fixture searches both streams for the secret
        assert f"GET {home.url} 200" in done.err
        assert re.search(r"jmapsync\.jmap\.client: calls: Mailbox/get", done.err)
        assert re.search(r"POST http://127\.0\.0\.1:\d+/\S+ 200", done.err)
        assert not re.search(r"https?://[^ ]*\?[^.]", done.err)

    @pytest.mark.parametrize(
        ("text", "kept"),
        [
            ("GET https://a.example/x?code=1&state=2 200", "GET https://a.example/x?... 200"),
            (
                'HTTP Request: POST https://u:p@a.example/t#f "HTTP/1.1 200 OK"',
                'HTTP Request: POST https://a.example/t?... "HTTP/1.1 200 OK"',
            ),
            ("https://a.example/jmap/", "https://a.example/jmap/"),
            ("nothing", "nothing"),
        ],
    )
    def test_have_no_query_or_credential_in_their_urls(self, text: str, kept: str) -> None:
        assert without_queries(text) == kept


class TestJson:
    def test_is_one_object_a_line_for_steps_requests_and_messages(self, process: Command, home: Home) -> None:
        file = home.mail / "INBOX/cur/Zugspitze"
        process("sync")
        file.symlink_to(home.path)
        done = process("-vv", "--log-format", "json", "sync")
        found = objects(done.err)
        assert done.code == 3
        assert {"message": "home mail: listing mail", "logger": "jmapsync.steps", "level": "info"}.items() <= found[0].items()
        assert any(one["level"] == "debug" and one.get("logger") == "jmapsync.jmap.curl" for one in found)
        [problem] = [one for one in found if one["level"] == "warning"]
        assert problem["message"].startswith("home mail: quarantined: ")
        assert "nothing to do" in done.out

    def test_has_the_errors_of_usage_and_configuration(self, process: Command, home: Home) -> None:
        [*_, last] = objects(process("--log-format", "json", "sync", "--ful").err)
        assert (last["level"], last["message"][:6]) == ("error", "Error:")
        home.configure(more="[daemon]\nx = 1\n")
        found = objects(process("--log-format=json", "sync").err)
        assert [one["level"] for one in found] == ["error"] * len(found)
        assert "no key 'x'" in found[0]["message"]

    def test_is_the_log_of_the_daemon_too(self, home: Home) -> None:
        home.configure(more=QUIET)
        command = [*PROGRAM, "-v", "--log-format", "json", "run"]
        lines = []
        with subprocess.Popen(command, env=home.environment(), stderr=subprocess.PIPE, text=True) as daemon:
            assert daemon.stderr is not None
            for line in daemon.stderr:
                lines.append(line)
                if "created here" in line:
                    daemon.terminate()
            assert daemon.wait(60) == 0
        found = objects("".join(lines))
        assert any(one["message"] == "home mail: listing mail" for one in found)
        assert not any(one["message"].startswith("<") for one in found)

    def test_does_not_mix_lines_and_objects_in_the_next_command(self, jmapsync: Command) -> None:
        jmapsync("--log-format", "json", "sync", "nobody")
        assert jmapsync("sync", "nobody").err.startswith("jmapsync: There is no account")

    def test_keeps_a_traceback_and_foreign_text_within_the_line(self) -> None:
        error = ValueError("x\ny")
        about = (ValueError, error, None)
        record = logging.LogRecord("asyncio", logging.ERROR, "", 0, "a\n\x1b[2Jb %s", ("\x7f" * 3,), about)
        line = JsonFormatter().format(record)
        assert "\n" not in line
        assert line.isprintable()
        assert json.loads(line)["error"].startswith("ValueError: x")


@pytest.mark.parametrize(("formatter", "start"), [(SafeFormatter, ""), (JournalFormatter, "<7>")])
def test_lines_for_people_have_no_queries_either(formatter: type[logging.Formatter], start: str) -> None:
    record = logging.LogRecord("x", logging.DEBUG, "", 0, "GET https://a.example/x?c=1 200", (), None)
    assert formatter("%(message)s").format(record) == f"{start}GET https://a.example/x?... 200"
