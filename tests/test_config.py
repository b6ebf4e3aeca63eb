"""Test what the configuration accepts, and how errors in it are reported."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jmapsync.config import Config, DaemonConfig, HooksConfig, MailConfig, NotmuchConfig, SafetyConfig, default_path, load
from jmapsync.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

    Write = Callable[..., Path]

ACCOUNT = """\
[accounts.home]
address = "alice@example.com"
password_command = "pass show mail/alice"
"""
MAIL = '[accounts.home.mail]\npath = "/m"\n[accounts.home.mail.notmuch]\n'


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    return home


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str, *, mode: int = 0o644) -> Path:
        path = tmp_path / "etc" / "config.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    return write


def problems(path: Path) -> list[str]:
    """Return every problem without the name of the file: `line: message`."""
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.exit_code == ExitCode.USAGE
    assert all(one.startswith(f"{path}:") for one in caught.value.problems)
    return [one.removeprefix(f"{path}:") for one in caught.value.problems]


class TestWhatHoldsWhereNothingIsSaid:
    def test_an_account_needs_no_more_than_an_address_a_secret_and_a_kind(self, write: Write, home: Path) -> None:
        config = load(write(ACCOUNT + '[accounts.home.mail]\npath = "~/Mail/home"\n'))

        account = config.accounts["home"]
        assert (account.user, account.url, account.auth) == ("alice@example.com", "", "bearer")
        assert account.state_dir == home / ".local/state/jmapsync/home"
        assert account.mail == MailConfig(
            path=home / "Mail/home",
            layout="nested",
            include=("*",),
            exclude=(),
            direction="both",
            on_delete="trash",
            line_endings="lf",
            keep_deleted=False,
        )
        assert list(account.kinds) == ["mail"]

    def test_the_daemon_the_guard_and_the_hooks(self, write: Write) -> None:
        config = load(write(ACCOUNT))

        assert config.daemon == DaemonConfig(push=True, poll=600, settle=1, full=604_800)
        assert config.safety == SafetyConfig(max_deletes=25, max_delete_percent=20)
        assert config.hooks == HooksConfig(after_sync="", on_trouble="", on_success="")


class TestWhatIsSaid:
    def test_every_key_of_the_reference_is_taken(self, write: Write, home: Path) -> None:
        config = load(
            write(
                """
                [accounts.home]
                address = "alice@example.com"
                url = "https://mail.example.com/.well-known/jmap"
                user = "alice"
                auth = "basic"
                password_command = "pass show mail/alice"
                account_id = "u1"
                trusted_hosts = ["files.example.com"]
                [accounts.home.mail]
                path = "~/Mail/home"
                layout = "maildir++"
                include = ["INBOX", "Lists/*"]
                exclude = ["Lists/old"]
                direction = "pull"
                on_delete = "keep"
                line_endings = "crlf"
                keep_deleted = true
                [accounts.home.mail.notmuch]
                config = "~/.notmuch-home"
                mailboxes = ["*"]
                tags = { Archive = "archive" }
                ignore = ["mine"]
                [accounts.home.contacts]
                path = "~/.contacts/home"
                vcard_version = "4.0"
                [accounts.home.calendars]
                path = "~/.calendars/home"
                include = ["*", "Team"]
                exclude = ["Holidays *"]
                hidden = false
                [accounts.home.tasks]
                path = "~/.tasks/home"
                [accounts.home.sieve]
                path = "~/.config/sieve/home"
                [daemon]
                push = false
                poll = "90s"
                settle = "1.5s"
                full = "2w"
                [safety]
                max_deletes = 0
                max_delete_percent = 12
                [hooks]
                after_sync = "notmuch new"
                [network]
                timeout = "45s"
                limit_rate = "1.5M"
                """
            )
        )

        account = config.accounts["home"]
        assert list(account.kinds) == ["mail", "contacts", "calendars", "tasks", "sieve"]
        assert (account.server, account.user, account.auth) == ("https://mail.example.com/.well-known/jmap", "alice", "basic")
        assert (account.account_id, account.trusted_hosts) == ("u1", ("files.example.com",))
        assert account.mail is not None
        assert (account.mail.layout, account.mail.include, account.mail.keep_deleted) == ("maildir++", ("INBOX", "Lists/*"), True)
        tags = NotmuchConfig(config=home / ".notmuch-home", mailboxes=("*",), tags={"Archive": "archive"}, ignore=("mine",))
        assert account.mail.notmuch == tags
        assert account.contacts is not None
        assert account.contacts.vcard_version == "4.0"
        assert (account.contacts.include, account.contacts.exclude, account.contacts.hidden) == (("*",), (), True)
        assert account.calendars is not None
        calendars = account.calendars
        assert (calendars.include, calendars.exclude, calendars.hidden) == (("*", "Team"), ("Holidays *",), False)
        assert account.sieve is not None
        assert account.sieve.path == home / ".config/sieve/home"
        assert config.daemon == DaemonConfig(push=False, poll=90, settle=1.5, full=1_209_600)
        assert config.safety == SafetyConfig(max_deletes=0, max_delete_percent=12)
        assert config.hooks.after_sync == "notmuch new"
        assert (account.timeout, account.limit_rate) == (45, 1_500_000)

    @pytest.mark.parametrize(
        ("said", "meant"),
        [
            ("~/Mail", "{home}/Mail"),
            ("$SPOOL/home", "/var/spool/me/home"),
            ("${SPOOL}/home", "/var/spool/me/home"),
            ("mail/../Mail", "{etc}/Mail"),
            ("/srv/Mail/", "/srv/Mail"),
        ],
    )
    def test_a_path_is_expanded_and_a_relative_one_starts_beside_the_file(
        self, said: str, meant: str, write: Write, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SPOOL", "/var/spool/me")
        path = write(f'{ACCOUNT}[accounts.home.mail]\npath = "{said}"\n')

        mail = load(path).accounts["home"].mail

        assert mail is not None
        assert mail.path == Path(meant.format(home=home, etc=path.parent))

    def test_the_state_may_be_kept_beside_the_file(self, write: Write) -> None:
        path = write(f'state_dir = "state"\n{ACCOUNT}')
        assert load(path).accounts["home"].state_dir == path.parent / "state" / "home"

    def test_a_password_may_stand_in_a_file_that_nobody_else_reads(self, write: Write) -> None:
        config = load(write('[accounts.home]\naddress = "a@example.com"\npassword = "geheim"\n', mode=0o600))
        assert config.accounts["home"].password == "geheim"
        assert "geheim" not in repr(config)

    @pytest.mark.parametrize("url", ["http://localhost:8080/jmap", "http://127.0.0.1/", "http://[::1]:80/x", "https://example.com"])
    def test_plain_http_is_for_this_machine(self, url: str, write: Write) -> None:
        assert load(write(f'{ACCOUNT}url = "{url}"\n')).accounts["home"].server == url

    def test_a_byte_order_mark_is_no_part_of_it(self, write: Write) -> None:
        assert list(load(write(f"\ufeff{ACCOUNT}")).accounts) == ["home"]


class TestErrors:
    def test_all_errors_are_reported_together_with_line_numbers(self, write: Write) -> None:
        path = write(
            """\
[accounts.home]
address = "alice@example.com"
password_comand = "pass show mail/alice"
password_file = "$NOWHERE/secret"
[accounts.home.mail]
path = "~/Mail/home"
on_delete = "bin"
include = [
  "INBOX",
  7,
]
[daemon]
poll = "10x"
"""
        )
        assert problems(path) == [
            "3: [accounts.home] has no key 'password_comand'; did you mean 'password_command'?",
            "4: password_file uses the environment variable NOWHERE, which is not set",
            "7: on_delete must be one of trash, destroy, keep, not 'bin'",
            "8: include must be a list of strings that are not empty",
            '13: poll must be a duration such as "30s", "10m", "2h" or "7d", not \'10x\'',
        ]

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("", "1: there is no account; add a table [accounts.NAME]"),
            ("[acounts.home]\n", "1: there is no key 'acounts'; did you mean 'accounts'?"),
            ('[accounts."a/b"]\naddress = "a@b"\nkeyring = true\n', "1: 'a/b' cannot be the name of an account"),
            ('[accounts.home]\nkeyring = true\nuser = "a"\n', '1: account "home": no server; set address or url'),
            ('[accounts.home]\naddress = "alice"\nkeyring = true\n', "2: address 'alice' is not a mail address"),
            (
                '[accounts.home]\naddress = "a@b"\n',
                '1: account "home": no password source; set one of password_command, password_file, credential, keyring',
            ),
            (
                '[accounts.home]\nurl = "https://x"\nauth = "basic"\npassword_command = "x"\n',
                '1: account "home": auth = "basic" needs a user or an address',
            ),
            (ACCOUNT + "keyring = true\n", '4: account "home": more than one password source: password_command, keyring'),
            (
                '[accounts.home]\naddress = "a@b"\npassword = "geheim"\n',
                "3: password is accepted only in a file that nobody else can read",
            ),
            (ACCOUNT + 'url = "http://example.com/"\n', "4: url would send the password to example.com unencrypted"),
            (ACCOUNT + 'url = "https://me:geheim@example.com/"\n', "4: url must not contain a user name or password"),
            (ACCOUNT + 'url = "example.com:geheim"\n', "4: url must start with https:// and a host name"),
            (ACCOUNT + 'url = "https://[::1/"\n', "4: url is not a URL"),
            (ACCOUNT + 'trusted_hosts = ["https://x"]\n', "4: trusted_hosts takes host names"),
            (ACCOUNT + "mail = 3\n", "4: mail must be a table, [accounts.home.mail], not a whole number"),
            (ACCOUNT + "[accounts.home.mail]\n", "4: [accounts.home.mail] needs a path"),
            (
                ACCOUNT + '[accounts.home.mail]\npath = "~nobody-at-all/x"\n',
                "5: path starts with the home directory of an unknown user",
            ),
            (ACCOUNT + '[accounts.home.mail]\npath = "/m"\ninclude = []\n', "6: include must not be empty"),
            (ACCOUNT + '[accounts.home.tasks]\npath = "/m"\ninclude = []\n', "6: include must not be empty"),
            (ACCOUNT + '[accounts.home.sieve]\npath = "/m"\nexclude = []\n', "6: [accounts.home.sieve] has no key 'exclude'"),
            (ACCOUNT + MAIL + "tags = { Archive = 1 }\n", "7: tags must be a table of strings that are not empty"),
            (ACCOUNT + MAIL + 'tags = { a = "x", b = "x" }\n', "7: tags uses 'x' for more than one mailbox or keyword"),
            (ACCOUNT + MAIL + "mailbox = []\n", "7: [accounts.home.mail.notmuch] has no key 'mailbox'; did you mean 'mailboxes'?"),
            (ACCOUNT + "[accounts.home.mail]\npath = 3\n", "5: path must be a string, not a whole number"),
            (ACCOUNT + "[daemon]\npoll = 600\n", "5: poll must be a string, not a whole number"),
            (ACCOUNT + '[daemon]\npoll = "0s"\n', "5: poll must be a duration"),
            (ACCOUNT + '[network]\nlimit_rate = "2MB"\n', '5: limit_rate must be octets a second such as "500K" or "2M"'),
            (
                ACCOUNT + '[network]\nlimit_rate = "0.9K"\n',
                '5: limit_rate must be octets a second such as "500K" or "2M", at least "1K"',
            ),
            (ACCOUNT + '[daemon]\npush = "yes"\n', "5: push must be true or false, not a string"),
            (ACCOUNT + "[safety]\nmax_deletes = true\n", "5: max_deletes must be a whole number, not true or false"),
            (ACCOUNT + "[safety]\nmax_deletes = -1\n", "5: max_deletes must not be negative"),
            (ACCOUNT + "[safety]\nmax_delete_percent = 101\n", "5: max_delete_percent must be between 0 and 100"),
            (ACCOUNT + "[safety]\nmax_delete_percent = 2.5\n", "5: max_delete_percent must be a whole number, not a number"),
            (ACCOUNT + "[hooks]\nafter_sync = 1979-05-27\n", "5: after_sync must be a string, not a date or time"),
            ("[accounts.home]\naddress = \n", "2: not TOML: invalid value, column 11"),
            ("[accounts.home\n", "1: not TOML: "),
            ("[accounts.home]\n[accounts.home]\n", "2: not TOML: [accounts.home] is there already, column 15"),
            ('[accounts.home]\naddress = "a"\naddress = "b"\n', "3: not TOML: this key or table is there already, column 14"),
            ('[accounts.home]\nx = """\n', "3: not TOML: "),
            ("x = " + "[" * 5_000, "1: this TOML cannot be read"),
            ("x = " + "9" * 5_000, "1: this TOML cannot be read"),
        ],
    )
    def test_an_error_is_one_message_with_its_line(self, text: str, expected: str, write: Write) -> None:
        errors = problems(write(text))
        assert any(one.startswith(expected) for one in errors), errors
        assert "geheim" not in "".join(errors)

    def test_an_invalid_encoding_is_reported_with_its_line(self, write: Write) -> None:
        path = write("")
        path.write_bytes(b"[accounts.home]\n# caf\xe9\n")
        assert problems(path) == ["2: not UTF-8, and so not TOML"]

    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"none\.toml: the configuration cannot be read: No such file"):
            load(tmp_path / "none.toml")

    def test_a_folder_is_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
            load(tmp_path)

    @pytest.mark.parametrize(
        ("first", "second", "expected"),
        [
            ("~/Mail", "~/Mail/", "6: path {home}/Mail is already the path of [accounts.home.mail]"),
            ("~/Mail", "~/Mail/home", "6: path {home}/Mail/home overlaps the path of [accounts.home.mail]"),
            ("~/Mail/home", "~/Mail", "6: path {home}/Mail overlaps the path of [accounts.home.mail]"),
            ("~/Mail", "~/other/../Mail", "6: path {home}/Mail is already the path of [accounts.home.mail]"),
            ("~/Mail", "~/link", "6: path {home}/Mail is already the path of [accounts.home.mail]"),
        ],
    )
    def test_roots_must_not_overlap(self, first: str, second: str, expected: str, write: Write, home: Path) -> None:
        (home / "Mail").mkdir()
        (home / "link").symlink_to(home / "Mail")
        path = write(f'{ACCOUNT}mail.path = "{first}"\n[accounts.home.contacts]\npath = "{second}"\n')
        assert problems(path) == [expected.format(home=home)]

    def test_roots_of_two_accounts_neither(self, write: Write, home: Path) -> None:
        other = ACCOUNT.replace("home", "work")
        path = write(f'{ACCOUNT}mail.path = "~/Mail"\n{other}mail.path = "~/Mail/work"\n')
        assert problems(path) == [f"8: path {home}/Mail/work overlaps the path of [accounts.home.mail]"]

    def test_names_that_only_begin_alike_are_no_trouble(self, write: Write) -> None:
        load(write(f'{ACCOUNT}mail.path = "~/Mail"\n[accounts.home.contacts]\npath = "~/Mail2"\n'))

    @pytest.mark.parametrize("root", ["~", "/", "~/.."])
    def test_the_home_folder_is_no_root(self, root: str, write: Write) -> None:
        (errors,) = problems(write(f'{ACCOUNT}mail.path = "{root}"\n'))
        assert errors.endswith("is or contains your home directory; choose another directory")

    @pytest.mark.parametrize("root", ["~/.local", "~/.local/state/jmapsync/home/mail"])
    def test_the_state_is_no_root(self, root: str, write: Write) -> None:
        (errors,) = problems(write(f'{ACCOUNT}mail.path = "{root}"\n'))
        assert errors.endswith("overlap")


class TestWhereItLies:
    def test_below_the_configuration_home(self, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
        assert default_path() == home / ".config/jmapsync/config.toml"
        monkeypatch.setenv("XDG_CONFIG_HOME", "/elsewhere")
        assert default_path() == Path("/elsewhere/jmapsync/config.toml")

    def test_a_relative_base_directory_is_ignored(self, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
        monkeypatch.setenv("XDG_CONFIG_HOME", "elsewhere")
        assert default_path() == home / ".config/jmapsync/config.toml"

    def test_state_lies_below_the_state_home(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_STATE_HOME", "/states")
        assert load(write(ACCOUNT)).accounts["home"].state_dir == Path("/states/jmapsync/home")


KEYS = st.sampled_from(
    [
        "accounts",
        "home",
        "mail",
        "path",
        "include",
        "url",
        "auth",
        "password",
        "daemon",
        "poll",
        "safety",
        "max_deletes",
        "x",
        '"ü.y"',
    ]
)
VALUES = st.sampled_from(
    [
        '"x"',
        '"~/Mail"',
        '"10m"',
        "1",
        "-1.5",
        "true",
        "nan",
        "[]",
        '["a", 1]',
        "{a = 1}",
        "1979-05-27",
        '"""\n\n"""',
        "[\n1,\n]",
        '"\\u0000"',
    ]
)
LINES = st.one_of(
    st.builds("[{}]".format, st.lists(KEYS, min_size=1, max_size=4).map(".".join)),
    st.builds("[[{}]]".format, st.lists(KEYS, min_size=1, max_size=3).map(".".join)),
    st.builds("{} = {}".format, st.lists(KEYS, min_size=1, max_size=3).map(".".join), VALUES),
    st.text(max_size=20),
)


def load_bytes(content: bytes, folder: Path) -> Config | list[str]:
    path = folder / "fuzzed.toml"
    path.write_bytes(content)
    try:
        return load(path)
    except ConfigError as error:
        lines = content.count(b"\n") + 1
        for problem in error.problems:
            line = problem.removeprefix(f"{path}:").split(":")[0]
            assert 1 <= int(line) <= lines, problem
            assert "\n" not in problem
        return error.problems


class TestAnything:
    @given(lines=st.lists(LINES, max_size=12))
    @example(lines=["[[accounts]]", "[[accounts]]"])
    @example(lines=["accounts.home.mail = [{path = 1}]"])
    def test_any_text_is_accepted_or_reported(self, lines: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
        assert load_bytes("\n".join(lines).encode("utf-8", "surrogatepass"), tmp_path_factory.getbasetemp())

    @given(content=st.binary(max_size=200))
    def test_any_bytes_are_accepted_or_reported(self, content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
        assert load_bytes(content, tmp_path_factory.getbasetemp())


OTHER = '[accounts.{0}]\naddress = "{0}@example.com"\npassword_command = "pass {0}"\n[accounts.{0}.mail]\npath = "mail-{0}"\n'


PRIVATE = "password is accepted only in a file that nobody else can read; run chmod 600 on it, or use password_command"


class TestIncludedFiles:
    @pytest.fixture
    def more(self, write: Write) -> Callable[[str, str], Path]:
        """Write a file below conf.d."""
        folder = write("").parent / "conf.d"
        folder.mkdir()

        def more(name: str, text: str) -> Path:
            (folder / name).write_text(text)
            return folder / name

        return more

    def test_their_accounts_come_after_those_of_the_file_sorted_by_name(
        self, write: Write, more: Callable[[str, str], Path]
    ) -> None:
        more("b.toml", OTHER.format("b") + OTHER.format("c"))
        more("a.toml", OTHER.format("z"))
        more(".hidden.toml", "no TOML")
        more("a.toml~", "no TOML")
        (more("x", "").parent / "d.toml").mkdir()
        config = load(write(f'include = ["conf.d/*.toml", "conf.d/a.toml"]\n{ACCOUNT}[network]\ntimeout = "7s"\n'))
        assert list(config.accounts) == ["home", "z", "b", "c"]
        account = config.accounts["c"]
        assert account.mail is not None
        assert (account.mail.path, account.timeout) == (config.path.parent / "conf.d/mail-c", 7.0)

    def test_they_may_be_all_there_is_or_none(self, write: Write, more: Callable[[str, str], Path]) -> None:
        path = write('include = ["conf.d/*.toml"]\n')
        assert problems(path) == ["1: there is no account; add a table [accounts.NAME]"]
        more("a.toml", OTHER.format("a"))
        assert list(load(path).accounts) == ["a"]

    def test_errors_name_the_file_and_the_line(self, write: Write, more: Callable[[str, str], Path]) -> None:
        first = more("a.toml", OTHER.format("home") + 'clolor = "red"\n')
        second = more("b.toml", 'include = ["c.toml"]\n[hooks]\n[accounts.b]\naddress = "b@example.com"\npassword = "x"\n')
        path = write(f'include = ["conf.d/*.toml"]\n{ACCOUNT}pol = 1\n')
        with pytest.raises(ConfigError) as caught:
            load(path)
        assert caught.value.problems == [
            f"{path}:5: [accounts.home] has no key 'pol'",
            f"{first}:1: there is an account 'home' in {path} already",
            f"{second}:1: include belongs in {path}; an included file has accounts only",
            f"{second}:2: hooks belongs in {path}; an included file has accounts only",
            f"{second}:5: {PRIVATE}",
        ]

    def test_one_that_is_no_toml_or_cannot_be_read_is_named(self, write: Write, more: Callable[[str, str], Path]) -> None:
        first = more("a.toml", OTHER.format("a") + "x = \n")
        second = first.with_name("b.toml")
        second.symlink_to("nowhere")
        third = first.with_name("c.toml")
        os.mkfifo(third)
        with pytest.raises(ConfigError) as caught:
            load(write(f'include = ["conf.d/*.toml"]\n{ACCOUNT}'))
        assert [one.partition(": ")[0] for one in caught.value.problems] == [f"{first}:6", str(second), str(third)]

    @pytest.mark.parametrize(
        ("pattern", "expected"),
        [
            ("conf.d/a.toml", "include names a file that does not exist: {}/conf.d/a.toml"),
            ("conf.d/**/*.toml", "include does not descend into directories: 'conf.d/**/*.toml'; name each one"),
            ("config.toml", "include names this file itself"),
        ],
    )
    def test_a_pattern_that_cannot_be_meant_is_an_error(self, pattern: str, expected: str, write: Write) -> None:
        path = write(f'include = ["{pattern}"]\n{ACCOUNT}')
        assert problems(path) == [f"1: {expected.format(path.parent)}"]

    def test_a_secret_needs_the_mode_of_its_own_file(self, write: Write, more: Callable[[str, str], Path]) -> None:
        secret = more("a.toml", OTHER.format("a").replace("password_command", "password"))
        path = write('include = ["conf.d/*.toml"]\n', mode=0o600)
        with pytest.raises(ConfigError, match="run chmod 600 on it"):
            load(path)
        secret.chmod(0o600)
        path.chmod(0o644)
        assert load(path).accounts["a"].password == "pass a"

    def test_roots_must_not_overlap_across_files(self, write: Write, more: Callable[[str, str], Path]) -> None:
        first = more("a.toml", OTHER.format("a"))
        second = more("b.toml", OTHER.format("b").replace("mail-b", "mail-a/b"))
        with pytest.raises(ConfigError) as caught:
            load(write('include = ["conf.d/*.toml"]\n'))
        assert caught.value.problems == [
            f"{second}:5: path {second.parent}/mail-a/b overlaps the path of [accounts.a.mail] in {first}"
        ]

    def test_each_pair_of_roots_that_contain_each_other_is_reported(self, write: Write, more: Callable[[str, str], Path]) -> None:
        roots = ["x/a/b/c", "x/a", "x/ab", "x/a-b", "x/a/b", "x"]
        more("a.toml", "".join(OTHER.format(f"n{number}").replace(f"mail-n{number}", root) for number, root in enumerate(roots)))
        with pytest.raises(ConfigError) as caught:
            load(write('include = ["conf.d/*.toml"]\n'))
        found = [re.findall(r"accounts.n(\d)|toml:(\d+):", one)[::-1] for one in caught.value.problems]
        # Lines 5, 10, ... are those of the paths of n0, n1, ...
        assert [(one, int(line) // 5 - 1) for (one, _), (_, line) in ((pair[0], pair[1]) for pair in found)] == [
            ("0", 1),
            ("0", 4),
            ("1", 4),
            ("0", 5),
            ("1", 5),
            ("2", 5),
            ("3", 5),
            ("4", 5),
        ]

    def test_a_thousand_accounts_are_read_in_a_moment(self, write: Write, more: Callable[[str, str], Path]) -> None:
        for number in range(1000):
            more(f"{number}.toml", OTHER.format(f"n{number}"))
        path = write('include = ["conf.d/*.toml"]\n')
        began = time.process_time()
        assert len(load(path).accounts) == 1000
        assert time.process_time() - began < 5
