"""A folder is renamed or removed, here or by another client, before any step of a run: nothing is lost, and the next runs agree."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from jmapsync.storage.maildir.side import MaildirSide
from tests.kit.mirror import assert_converges

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer
    from tests.kit.mirror import Mirror

LETTER = b"Subject: one\r\n\r\nbody\r\n"
METHODS = ("observe_folders", "observe_items", "read", "write", "write_folder", "make_folders")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("act", ["rename here", "remove here", "rename there", "destroy there"])
def test_a_folder_may_go_before_any_step_of_a_run(
    server: DemoServer, mirror: Mirror, monkeypatch: pytest.MonkeyPatch, method: str, act: str
) -> None:
    account = server.account
    for path in ("Work", "Work/inner", "Other"):
        account.create_mailbox(path)
        account.deliver(LETTER + path.encode(), [path], ["$seen"])
    mirror.sync()
    for path in ("Work", "Work/inner"):
        account.deliver(LETTER + b"new in " + path.encode(), [path, "Other"], ["$flagged", "word"])
        mirror.drop(path, b"Subject: mine\n\n" + path.encode())
    for path in ("Fresh", "Fresh/a", "Fresh/b"):
        account.create_mailbox(path)
    account.rename_mailbox("Other", "Another")
    real = getattr(MaildirSide, method)
    left = [1]

    def meddle(self: MaildirSide, *args: object) -> object:
        while left:
            left.pop()
            if act == "rename here":
                (mirror.root / "Work").rename(mirror.root / "Moved")
            elif act == "remove here":
                shutil.rmtree(mirror.root / "Work" / "inner")
            elif act == "rename there":
                account.rename_mailbox("Work", "Moved")
            else:
                account.destroy_mailbox("Work/inner")
        return real(self, *args)

    monkeypatch.setattr(MaildirSide, method, meddle)
    mirror.sync()
    monkeypatch.undo()
    for _ in range(3):
        mirror.sync(allow_deletes=True)
    assert_converges(account, mirror)
    kept = {account.raw(ref) for ref in account.emails}
    assert LETTER + b"new in Work" in kept
    assert b"Subject: mine\r\n\r\nWork" in kept


def test_a_mailbox_that_still_holds_mail_is_never_removed_by_force(server: DemoServer, mirror: Mirror) -> None:
    server.account.create_mailbox("Work")
    mirror.sync()
    for sub in ("cur", "new", "tmp"):
        (mirror.root / "Work" / sub).rmdir()
    (mirror.root / "Work" / ".jmapsync").unlink()
    (mirror.root / "Work").rmdir()

    def deliver() -> None:
        server.account.deliver(LETTER, ["Work"])

    server.faults.before_call.arm(deliver, times=1, only={"Mailbox/set"})
    mirror.sync()
    calls = server.requests.calls("Mailbox/set")
    assert calls
    assert not any(call.arguments.get("onDestroyRemoveEmails") for call in calls)
    assert len(server.account.emails) == 1
    mirror.sync()
    assert len(mirror.files("Work")) == 1


def test_local_mail_in_a_mailbox_that_the_server_removed_is_kept(server: DemoServer, mirror: Mirror) -> None:
    box = server.account.create_mailbox("Work")
    mirror.sync()
    mirror.drop("Work", b"Subject: mine\n\nbody\n")
    server.account.destroy_mailbox(box)
    mirror.sync()
    assert_converges(server.account, mirror)
    assert [file.read_bytes() for file in mirror.files("Work")] == [b"Subject: mine\n\nbody\n"]
