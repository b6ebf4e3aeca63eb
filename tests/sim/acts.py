"""What users and other clients do between two runs, act by act: the worlds that the crash tests are scripted on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jmapsync.formats.message import offlineimap_form
from tests.sim.world import NOW, World, letter, local_letter

Act = Callable[[World], None]


@dataclass(frozen=True)
class Story:
    """A world before its first agreement, and what happens after it; without an act, the first pull is the story."""

    name: str
    act: Act | None = None
    prepare: Act | None = None
    twins: bool = False
    """Whether it needs a server that takes the same message twice."""


def populate(world: World) -> None:
    """Give the account mail of every sort that a pull treats differently."""
    account = world.account
    account.create_mailbox("Lists")
    account.create_mailbox("Lists/python")
    for number, word in enumerate(("alpha", "beta", "gamma")):
        account.deliver(letter(word), received_at=NOW - 9000 + number)
    account.deliver(letter("both"), ["INBOX", "Archive"], ["$seen", "work"], NOW - 8000)
    account.deliver(letter("deep"), ["Lists/python"], ["$flagged"], NOW - 7999)
    account.deliver(letter("draft"), ["Drafts"], ["$draft", "$seen"], NOW - 7998)


def populate_oddly(world: World) -> None:
    """Add bodies that do not survive a change of line ends, equal ones, and one that goes through a file of its own."""
    populate(world)
    account = world.account
    account.deliver(b"Subject: odd\r\n\r\nbare\rcr and\x00nul \xff\n[odd]", received_at=NOW - 7000)
    account.deliver(letter("twin"), received_at=NOW - 6999)
    account.deliver(letter("twin"), received_at=NOW - 6998)
    account.deliver(letter("crowd"), ["INBOX", "Lists", "Archive"], ["x-a", "x-b", "$answered"], NOW - 6997)


# The acts of the user: issue 2, item 7.


def read_one(world: World) -> None:
    world.flag(world.file(b"[alpha]"), "S")


def change_many_flags(world: World) -> None:
    world.flag(world.file(b"[alpha]"), "FS")
    world.flag(world.file(b"[beta]"), "PRS")
    world.flag(world.file(b"[deep]"), "")


def give_custom_keyword(world: World) -> None:
    file = world.file(b"[both]", "Archive")
    table = file.parent.with_name("dovecot-keywords")
    table.write_text(table.read_text() + "1 later\n")
    world.flag(file, "Sab")


def move_one(world: World) -> None:
    world.move(world.file(b"[alpha]"), "Archive")


def move_among_other_letters(world: World) -> None:
    """Move messages to folders where their letters stand for other keywords, or for none."""
    world.move(world.file(b"[crowd]", "INBOX"), "Lists/python")
    world.move(world.file(b"[both]", "INBOX"), "Lists")


def move_one_of_two_copies(world: World) -> None:
    world.move(world.file(b"[both]", "INBOX"), "Lists/python")


def copy_one(world: World) -> None:
    world.copy(world.file(b"[alpha]"), "Archive")


def delete_one_of_two_copies(world: World) -> None:
    world.file(b"[both]", "INBOX").unlink()


def delete_last_copy(world: World) -> None:
    world.file(b"[alpha]").unlink()


def mark_for_deletion(world: World) -> None:
    world.flag(world.file(b"[alpha]"), "ST")


def delete_from_trash(world: World) -> None:
    world.file(b"[trashed]", "Trash").unlink()


def write_new(world: World) -> None:
    world.drop("INBOX", local_letter("fresh"))


def write_new_with_flags(world: World) -> None:
    world.drop("Sent", local_letter("fresh"), sub="cur", info=":2,RS")


def write_new_marked(world: World) -> None:
    """Drop messages that are marked deleted, and that nobody else ever had."""
    world.drop("INBOX", local_letter("fresh"), sub="cur", info=":2,ST")
    world.copy(world.drop("Archive", local_letter("marked twice"), sub="cur", info=":2,FT"), "Lists")


def edit_and_mark(world: World) -> None:
    """Edit a message in its place, then mark it deleted."""
    world.flag(world.edit(world.file(b"[alpha]"), local_letter("alpha2", "Edited.")), "ST")


def write_new_into_two_folders(world: World) -> None:
    world.copy(world.drop("INBOX", local_letter("fresh"), sub="cur", info=":2,"), "Archive")


def write_many_new(world: World) -> None:
    for number in range(5):
        world.drop("INBOX", local_letter(f"fresh{number}"))
    world.drop("Archive", letter("crlf"))
    world.drop("Archive", b"Subject: mixed\r\n\nhalf and\r\nhalf [mixed]\n")


def edit_draft(world: World) -> None:
    world.edit(world.file(b"[draft]"), local_letter("draft2", "Better."))


def edit_draft_as_mutt_does(world: World) -> None:
    """Save the draft as a new file and delete the old one."""
    world.file(b"[draft]").unlink()
    world.drop("Drafts", local_letter("draft2", "Better."), sub="cur", info=":2,DS")


def edit_message(world: World) -> None:
    world.edit(world.file(b"[alpha]"), local_letter("alpha2", "Edited."))


def edit_and_copy_message(world: World) -> None:
    """Copy a message that has just been edited: one message in two folders."""
    world.copy(world.edit(world.file(b"[alpha]"), local_letter("alpha2", "Edited.")), "Archive")


def write_twins(world: World) -> None:
    """Drop the same bytes twice into one folder: two messages."""
    world.drop("INBOX", local_letter("fresh"))
    world.drop("INBOX", local_letter("fresh"))


def make_folder_with_mail(world: World) -> None:
    world.mkdir("Projects")
    world.mkdir("Projects/new one")
    world.drop("Projects/new one", local_letter("fresh"))
    world.move(world.file(b"[alpha]"), "Projects")


def rename_folder(world: World) -> None:
    (world.root / "Lists").rename(world.root / "Mailing lists")


def remove_empty_folder(world: World) -> None:
    folder = world.root / "Junk"
    for part in ("cur", "new", "tmp"):
        (folder / part).rmdir()
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


# The acts of another client.


def deliver(world: World) -> None:
    world.account.deliver(letter("late"), ["INBOX", "Lists"], ["$seen"], NOW - 100)
    world.account.deliver(letter("later"), received_at=NOW - 99)


def flag_on_server(world: World) -> None:
    world.account.set_keyword(world.email(b"[alpha]"), "$flagged")
    world.account.set_keyword(world.email(b"[both]"), "$seen", present=False)
    world.account.set_keyword(world.email(b"[both]"), "urgent")


def move_on_server(world: World) -> None:
    world.account.move(world.email(b"[alpha]"), "INBOX", "Archive")
    world.account.move(world.email(b"[both]"), "INBOX", "Lists")


def copy_on_server(world: World) -> None:
    world.account.copy(world.email(b"[alpha]"), "Lists/python")


def destroy_on_server(world: World) -> None:
    world.account.destroy(world.email(b"[alpha]"))
    world.account.destroy(world.email(b"[both]"))


def add_mailbox(world: World) -> None:
    world.account.create_mailbox("Work")
    world.account.create_mailbox("Work/2026")
    world.account.deliver(letter("late"), ["Work/2026"], received_at=NOW - 100)
    world.account.copy(world.email(b"[alpha]"), "Work")


def rename_mailbox(world: World) -> None:
    world.account.rename_mailbox("Lists", "Verteiler ü")


def move_mailbox(world: World) -> None:
    world.account.rename_mailbox("Lists/python", "python", parent="Archive")


def remove_mailbox(world: World) -> None:
    world.account.destroy_mailbox("Junk")


def remove_mailbox_with_mail(world: World) -> None:
    world.account.destroy_mailbox("Lists/python")


# Both at once, on the same message.


def both(*acts: Act) -> Act:
    def act(world: World) -> None:
        for one in acts:
            one(world)

    return act


def toggle_on_both(world: World) -> None:
    world.flag(world.file(b"[alpha]"), "S")
    world.account.set_keyword(world.email(b"[alpha]"), "$flagged")
    world.flag(world.file(b"[deep]"), "")
    world.account.set_keyword(world.email(b"[deep]"), "work")


def move_on_both(world: World) -> None:
    world.move(world.file(b"[alpha]"), "Lists")
    world.account.move(world.email(b"[alpha]"), "INBOX", "Archive")


def write_what_the_server_gets(world: World) -> None:
    world.drop("Archive", local_letter("fresh"))
    world.account.deliver(letter("fresh"), ["INBOX"], ["$flagged"], NOW - 3600)


def edit_draft_flagged_on_server(world: World) -> None:
    edit_draft(world)
    world.account.set_keyword(world.email(b"[draft]"), "$flagged")


def make_same_folder(world: World) -> None:
    world.mkdir("Work")
    world.drop("Work", local_letter("fresh"))
    world.account.create_mailbox("Work")
    world.account.deliver(letter("late"), ["Work"], received_at=NOW - 100)


def fill_before_first_sync(world: World) -> None:
    """Bring a Maildir of old, which holds some of what the server holds."""
    populate(world)
    for path in ("INBOX", "Archive", "Old"):
        world.mkdir(path)
    world.drop("INBOX", local_letter("alpha"), sub="cur", info=":2,S")
    world.drop("Archive", local_letter("both"))
    world.drop("Old", local_letter("older"))


def fill_as_offlineimap(world: World) -> None:
    """Bring a Maildir that offlineimap filled, with a message that it wrote down otherwise, and one edited besides."""
    populate(world)
    for path in ("INBOX", "Archive"):
        world.mkdir(path)
    name = "1.5.vm,U={uid},FMD5=" + 32 * "0"
    unclosed = b"Subject: %b\r\nMessage-ID: <%b@x>\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\n[%b]\r\n"
    for uid, (word, homes) in enumerate({b"unclosed": ["INBOX", "Archive"], b"edited": ["Archive"]}.items(), 1):
        body = unclosed % (word, word, word)
        world.account.deliver(body, homes, ["$seen"], NOW - 7500 + uid)
        written = offlineimap_form(body) or b""
        for home in homes:
            file = world.drop(home, written.replace(b"[edited]", b"[edited here]"), sub="cur", info=":2,F")
            file.rename(file.with_name(name.format(uid=uid) + ":2,F"))


def trash_one(world: World) -> None:
    populate(world)
    world.account.deliver(letter("trashed"), ["Trash"], ["$seen"], NOW - 5000)


FIRST_PULLS = (
    Story("first pull", prepare=populate_oddly),
    Story("first pull of an empty account"),
    Story("first meeting with an old Maildir", prepare=fill_before_first_sync),
    Story("first meeting with a tree of offlineimap", prepare=fill_as_offlineimap),
)
LOCAL = (
    *(read_one, change_many_flags, give_custom_keyword, move_one, move_one_of_two_copies, copy_one, delete_one_of_two_copies),
    *(delete_last_copy, mark_for_deletion, write_new, write_new_with_flags, write_new_into_two_folders, write_many_new),
    *(write_new_marked, edit_and_mark),
    *(
        edit_draft,
        edit_draft_as_mutt_does,
        edit_message,
        edit_and_copy_message,
        make_folder_with_mail,
        rename_folder,
        remove_empty_folder,
    ),
)
REMOTE = (
    *(deliver, flag_on_server, move_on_server, copy_on_server, destroy_on_server, add_mailbox, rename_mailbox, move_mailbox),
    *(remove_mailbox, remove_mailbox_with_mail),
)
TOGETHER: dict[str, Act] = {
    "toggle different keywords": toggle_on_both,
    "move to different folders": move_on_both,
    "move here, flag there": both(move_one, flag_on_server),
    "delete here, flag there": both(delete_last_copy, flag_on_server),
    "delete here, move there": both(delete_last_copy, move_on_server),
    "delete here, destroy there": both(delete_last_copy, destroy_on_server),
    "flag here, destroy there": both(read_one, destroy_on_server),
    "move here, destroy there": both(move_one, destroy_on_server),
    "edit here, destroy there": both(edit_message, destroy_on_server),
    "edit here, move there": both(edit_message, move_on_server),
    "edit a draft flagged there": edit_draft_flagged_on_server,
    "write what the server gets": write_what_the_server_gets,
    "write marked what the server gets": both(write_new_marked, deliver),
    "edit and mark here, destroy there": both(edit_and_mark, destroy_on_server),
    "make the same folder": make_same_folder,
    "rename a folder both ways": both(rename_folder, rename_mailbox),
    "everything": both(change_many_flags, move_one_of_two_copies, write_many_new, edit_draft, deliver, flag_on_server, add_mailbox),
}
STORIES = (
    *FIRST_PULLS,
    *(Story(f"{act.__name__.replace('_', ' ')}", act, populate) for act in (*LOCAL, *REMOTE)),
    Story("move among other letters", move_among_other_letters, populate_oddly),
    Story("write twins", write_twins, populate, twins=True),
    Story("delete from trash", delete_from_trash, trash_one),
    *(Story(name, act, populate) for name, act in TOGETHER.items()),
)
