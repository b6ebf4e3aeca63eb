"""An account is added to the configuration; what stood there before keeps every octet."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from jmapsync.app.setup.config_file import NewAccount, NewKind, extended, render, state_dir_for, write
from jmapsync.config import load
from jmapsync.errors import ConfigError, LocalError

if TYPE_CHECKING:
    from pathlib import Path

NEW = NewAccount(
    name="work",
    settings={
        "address": "alice@example.com",
        "url": "https://mail.example.com/.well-known/jmap",
        "auth": "basic",
        "password_command": 'printf "%s\\n" \'a "b"\'',
        "trusted_hosts": ["files.example.com"],
    },
    kinds=(
        NewKind(
            kind="mail", path="~/Mail/work", settings={"exclude": ["Spam [*]", 'a"b'], "direction": "pull", "keep_deleted": True}
        ),
        NewKind(kind="contacts", path="~/.contacts/work"),
    ),
)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "config" / "jmapsync" / "config.toml"


def add(path: Path, account: NewAccount = NEW) -> None:
    write(path, extended(path, account)[0])


def test_a_new_file_is_valid_has_comments_and_is_private(path: Path, tmp_path: Path) -> None:
    add(path)
    account = load(path).accounts["work"]
    assert (account.address, account.url) == ("alice@example.com", "https://mail.example.com/.well-known/jmap")
    assert account.password_command == 'printf "%s\\n" \'a "b"\''
    assert account.trusted_hosts == ("files.example.com",)
    assert account.mail is not None
    assert account.mail.path == tmp_path / "Mail/work"
    assert (account.mail.exclude, account.mail.direction, account.mail.keep_deleted) == (("Spam [*]", 'a"b'), "pull", True)
    assert "# the server is never written" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


OTHER = '[accounts.home]\nurl="https://h.test/"\npassword_command =  "true"  # mine\n\n[hooks]\nafter_sync = "x"'


@pytest.mark.parametrize(
    "before",
    [
        OTHER,
        OTHER + "\n",
        "\ufeff" + OTHER + "\n",
        OTHER.replace("\n", "\r\n"),
        "# only a comment",
        'accounts.home.url = "https://h.test/"\naccounts.home.password_command = "true"\n',
        '[accounts]\n[accounts.home]\nurl = "https://h.test/"\npassword_command = "true"\n\n\n# the end\n',
    ],
    ids=["no newline at the end", "plain", "byte order mark", "CRLF", "comment", "dotted keys", "explicit table"],
)
def test_what_was_there_keeps_every_octet(path: Path, before: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(before.encode())
    path.chmod(0o640)
    add(path)
    content = path.read_bytes()
    assert content.startswith(before.encode())
    assert set(load(path).accounts) >= {"work"}
    assert (b"\r\n" in before.encode()) is (b"\r\n" in content)
    if b"\r\n" in content:
        assert b"\n" not in content.replace(b"\r\n", b"")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_third_account_follows_the_second(path: Path) -> None:
    add(path)
    add(path, NewAccount(name="home", settings=NEW.settings))
    assert list(load(path).accounts) == ["work", "home"]


def test_a_link_to_the_file_stays_a_link(path: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.toml"
    real.write_text(OTHER)
    path.parent.mkdir(parents=True)
    path.symlink_to(real)
    add(path)
    assert path.is_symlink()
    assert set(load(real).accounts) == {"home", "work"}


class TestNothingIsWritten:
    def refused(self, path: Path, before: str, message: str, account: NewAccount = NEW) -> None:
        path.parent.mkdir(parents=True)
        path.write_text(before)
        with pytest.raises(ConfigError, match=message):
            add(path, account)
        assert path.read_text() == before

    def test_where_the_account_exists(self, path: Path) -> None:
        self.refused(path, render(NEW), "has an account work already")

    def test_where_the_file_is_invalid(self, path: Path) -> None:
        self.refused(path, "nonsense =", "not TOML")

    def test_where_accounts_are_an_inline_table(self, path: Path) -> None:
        inline = 'accounts = { home = { url = "https://h.test/", password_command = "true" } }\n'
        self.refused(path, inline, "cannot be extended by this account")

    def test_where_a_folder_is_that_of_another_account(self, path: Path) -> None:
        self.refused(path, render(NEW), "Mail/work", NewAccount(name="other", settings=NEW.settings, kinds=NEW.kinds[:1]))

    def test_where_the_disk_refuses(self, path: Path, tmp_path: Path) -> None:
        (tmp_path / "config").write_text("a file where the directory should be")
        with pytest.raises(LocalError, match="cannot be written"):
            write(path, b"")


def test_the_state_directory_is_that_of_the_configuration(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(f'state_dir = "{tmp_path}/elsewhere"\n')
    assert state_dir_for(path, "work") == tmp_path / "elsewhere/work"


@pytest.mark.parametrize("place", ["~/Mails-\udce9", "~/\ud800"])
def test_what_is_not_utf_8_is_named_and_nothing_is_written(path: Path, place: str) -> None:
    with pytest.raises(ConfigError, match=r"not UTF-8: .*path = "):
        extended(path, NewAccount(name="work", settings=NEW.settings, kinds=(NewKind(kind="mail", path=place),)))
    assert not path.exists()


def test_an_account_is_added_to_the_file_that_includes_others(path: Path) -> None:
    (path.parent / "conf.d").mkdir(parents=True)
    path.write_text('include = ["conf.d/*.toml"]\n')
    add(path)
    assert list(load(path).accounts) == ["work"]
    (path.parent / "conf.d/a.toml").write_text(OTHER)
    with pytest.raises(ConfigError, match="hooks belongs in"):
        add(path, NewAccount(name="third", settings=NEW.settings))
    (path.parent / "conf.d/a.toml").write_text(OTHER.partition("[hooks]")[0])
    with pytest.raises(ConfigError, match="has an account home already"):
        add(path, NewAccount(name="home", settings=NEW.settings))
    add(path, NewAccount(name="third", settings=NEW.settings))
    assert list(load(path).accounts) == ["work", "third", "home"]
