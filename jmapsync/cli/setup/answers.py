"""Hold what the options of `jmapsync init` answer, and name those that are missing where nobody can be asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jmapsync.errors import ConfigError

if TYPE_CHECKING:
    import asyncio

    from jmapsync.cli.questions import Questions


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """One field for each option; empty where it is not given."""

    address: str = ""
    url: str = ""
    user: str = ""
    auth: str = ""
    device: bool = False
    password_command: str = ""
    password_file: str = ""
    account_id: str = ""
    trusted: tuple[str, ...] = ()
    name: str = ""
    kinds: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    backup: bool = False
    yes: bool = False
    syncs: bool | None = None
    installs: bool | None = None

    @property
    def has_secret(self) -> bool:
        """Return whether an option says where the secret is."""
        return bool(self.password_command or self.password_file)

    def require(self) -> None:
        """Raise `ConfigError` that names every option which has to be given where there is no terminal."""
        needed = [] if self.address or self.url else ["ADDRESS or --url"]
        if not self.has_secret and self.auth != "oauth":
            needed.append("--password-command, --password-file or --auth oauth")
        given = {"--auth": self.auth, "--name": self.name, "--kinds": self.kinds, "--root": self.roots}
        defaults = [] if self.yes else [option for option, value in given.items() if not value]
        if not needed and not defaults:
            return
        what = "; ".join([*needed, *([", ".join(defaults)] if defaults else [])])
        advice = " (--yes accepts the defaults of the last ones)" if defaults else ""
        raise ConfigError([f"there is no terminal to ask questions on; these answers are missing: {what}{advice}"])


@dataclass(frozen=True, slots=True)
class Interview:
    """What every step of the dialogue needs."""

    answers: Answers
    questions: Questions
    runner: asyncio.Runner
    """Runs all requests in one event loop: a name that does not resolve would otherwise be waited for at the end of each step."""
