"""What becomes of an item whose files cannot be taken as they are while the server's object changes or goes."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.opening import open_regular
from jmapsync.storage.vdir import read
from tests.kit.object_mirror import change, writes
from tests.sync.objects.samples import card, event

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jmapsync.demo import DemoServer, Store
    from tests.kit.object_mirror import ObjectMirror

FILES = {"contacts": ("ada", card), "calendars": ("weekly", event)}
NOTE = {"contacts": "NOTE:first", "calendars": "DESCRIPTION:As ever"}


def store_of(server: DemoServer, kind: str) -> Store:
    return server.account.contacts if kind == "contacts" else server.account.calendars


def half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:70])


def scribble(file: Path) -> None:
    file.write_bytes(b"no item\r\n")


def empty(file: Path) -> None:
    file.write_bytes(b"")


def link(file: Path) -> None:
    aside = file.parents[2] / f"aside-{file.name}"
    file.rename(aside)
    file.symlink_to(aside)


def directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


def fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def large(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"\r\nEND:V", b"\r\nX-LARGE:" + b"x" * 9000 + b"\r\nEND:V", 1))


def twin(file: Path) -> None:
    file.with_name(f"twin-{file.name}").write_bytes(file.read_bytes())


def edited_twin(file: Path) -> None:
    file.with_name(f"twin-{file.name}").write_bytes(file.read_bytes().replace(b":first", b":other").replace(b":As ever", b":other"))


def denied(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\r\n")
    file.chmod(0)


SPOILT = (half, scribble, empty, link, directory, fifo, large, twin, edited_twin, denied)


def edit(store: Store, ref: str) -> None:
    store.edit(ref, {"notes": {"n1": {"note": "there"}}} if store.model.item == "ContactCard" else {"description": "there"})


def destroy(store: Store, ref: str) -> None:
    store.delete(ref)


def replace(store: Store, ref: str) -> None:
    """Another client made the object anew, with the same uid and another id."""
    old = dict(store.items[ref])
    store.delete(ref)
    fresh = {name: value for name, value in old.items() if name not in {"id", store.model.homes}}
    store.add({**fresh, "title" if "title" in fresh else "name": "there" if "title" in fresh else {"full": "there"}}, ("Other",))


def move(store: Store, ref: str) -> None:
    store.move(ref, next(iter(store.items[ref][store.model.homes])), "Other")


ACTS = (edit, destroy, replace, move)


def picture(folder: Path) -> dict[str, Any]:
    """Return what lies below a folder; hidden files are ours."""
    found = sorted(one for one in folder.rglob("*") if not one.name.startswith("."))
    return {
        str(one.relative_to(folder)): (one.lstat().st_mode, one.read_bytes() if stat.S_ISREG(one.lstat().st_mode) else b"")
        for one in found
    }


def restore(file: Path, whole: bytes) -> None:
    for one in (file, file.with_name(f"twin-{file.name}")):
        if one.is_dir():
            one.rmdir()
        else:
            one.unlink(missing_ok=True)
    file.write_bytes(whole)


def item_of(kind: str, uid: str) -> dict[str, Any]:
    if kind == "contacts":
        return {"uid": uid, "name": {"full": uid}, "notes": {"n1": {"note": "first"}}}
    return {"uid": uid, "title": uid, "description": "first", "start": "2026-12-07T10:00:00", "duration": "PT1H"}


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no file be read that is large, or that has no permissions: root may read those."""

    def permitted(path: str, **options: Any) -> Any:  # noqa: ANN401 # as the original
        if stat.S_ISREG(os.lstat(path).st_mode) and os.lstat(path).st_mode & 0o777 == 0:
            raise PermissionError(errno.EACCES, "Permission denied")
        return open_regular(path, **options)

    monkeypatch.setattr(read, "LARGEST", 8000)
    monkeypatch.setattr(read, "open_regular", permitted)


@pytest.mark.parametrize("server", ["rfc"], indirect=True)
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("kind", ["contacts", "calendars"])
def test_of_an_item_whose_file_is_quarantined_neither_side_is_written(
    server: DemoServer, desk: ObjectMirror, kind: str, act: Callable[[Store, str], None]
) -> None:
    store, make = store_of(server, kind), FILES[kind][1]
    store.create_collection("Other")
    for spoil in SPOILT:
        store.add(item_of(kind, spoil.__name__))
    desk.sync_until_quiet()
    files = {spoil: desk.file(kind, spoil.__name__) for spoil in SPOILT}
    whole = {file: file.read_bytes() for file in files.values()}
    for spoil, file in files.items():
        spoil(file)
        act(store, store.by_uid(spoil.__name__)["id"])
    there, here = dict(store.items), picture(desk.base / kind)
    for _ in range(2):
        found = desk.sync(allow_deletes=True)
        assert {f"{file.parent.name}/{file.name}" for file in whole} <= {problem.item for problem in found[kind].problems}
        assert (writes(found), store.items, picture(desk.base / kind)) == (0, there, here)
    # The rest of the collection goes on.
    file = files[half]
    file.with_name(f"good{file.suffix}").write_bytes(make("good"))
    assert desk.sync()[kind].to_server.created == 1
    # What was put right is merged as ever: it is the old content, so that the server's act counts.
    for file, content in whole.items():
        restore(file, content)
    desk.sync(allow_deletes=True)  # most of what there is goes at once
    desk.sync_until_quiet()
    assert desk.conflict_copies() == []
    if act is destroy:
        assert not any(file.exists() for file in whole)
        return
    for spoil, file in files.items():
        kept = desk.file(kind, spoil.__name__)
        assert (b"there" in kept.read_bytes()) == (act is not move)
        assert kept.parent.name == (file.parent.name if act is edit else "Other")


@pytest.mark.parametrize("server", ["rfc"], indirect=True)
@pytest.mark.parametrize("act", [edit, destroy])
@pytest.mark.parametrize("kind", ["contacts", "calendars"])
def test_an_edit_of_a_file_that_was_quarantined_meets_what_the_server_did(
    server: DemoServer, desk: ObjectMirror, kind: str, act: Callable[[Store, str], None]
) -> None:
    store, (uid, _) = store_of(server, kind), FILES[kind]
    file = desk.file(kind, uid)
    whole = file.read_bytes()
    half(file)
    act(store, store.by_uid(uid)["id"])
    desk.sync()
    restore(file, whole)
    change(file, NOTE[kind], NOTE[kind].partition(":")[0] + ":here")
    desk.sync()
    kept = desk.file(kind, uid).read_bytes()
    if act is destroy:  # an edit beats a deletion
        assert b":here" in kept
        assert "here" in str(store.by_uid(uid))
    else:
        assert b":there" in kept
        assert b":here" in desk.conflict_copies()[0][1]


@pytest.mark.parametrize("server", ["rfc"], indirect=True)
def test_a_collection_of_the_server_stays_while_a_file_of_something_in_it_is_quarantined(desk: ObjectMirror, cards: Store) -> None:
    cards.create_collection("Other")
    desk.sync_until_quiet()
    (desk.base / "contacts" / "Other" / "new.vcf").write_bytes(card("new"))
    desk.sync_until_quiet()
    file = desk.base / "contacts" / "Other" / "new.vcf"
    aside = desk.file("contacts", "ada").with_name("new.vcf")
    file.rename(aside)
    half_ = aside.read_bytes()[:-20]
    with aside.open("r+b") as opened:
        opened.truncate(len(half_))
    shutil.rmtree(file.parent)
    for _ in range(2):
        found = desk.sync(allow_deletes=True)["contacts"]
        assert {problem.item for problem in found.problems} >= {f"{aside.parent.name}/new.vcf"}
        assert "Other" in {one["name"] for one in cards.collections.values()}
        assert cards.by_uid("new")
    aside.write_bytes(card("new"))
    desk.sync(allow_deletes=True)
    desk.sync_until_quiet()
    assert "Other" not in {one["name"] for one in cards.collections.values()}
    assert desk.file("contacts", "new") == aside
