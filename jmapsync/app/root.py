"""Run the accounts of a configuration: the one place that builds the adapters and wires them together."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from jmapsync.app.syncing import sync_here, sync_or_hand_over
from jmapsync.config.reader import nearest
from jmapsync.errors import ConfigError, ExitCode, JmapsyncError
from jmapsync.sync.options import Options
from jmapsync.sync.report import AccountReport, RunReport, Silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.app.checkup import Checkup
    from jmapsync.app.conflicts import ConflictCopies
    from jmapsync.app.health import AccountHealth, HealthWatch
    from jmapsync.app.restoring import Restoration
    from jmapsync.backup.verify import Proof
    from jmapsync.config import AccountConfig, Config
    from jmapsync.sync.report import Progress


class App:
    """Everything that can be done with one configuration."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration; nothing is touched yet."""
        self.config = config

    def select(self, names: Sequence[str] = ()) -> list[AccountConfig]:
        """Return the accounts of some names, all of them for none, each followed by its shared accounts.

        A shared account has the name `LOGIN/NAME`. Raise `ConfigError` that names every unknown one.
        """
        found: dict[str, AccountConfig] = {}
        unknown = []
        for name in names or self.config.accounts:
            mine = self._named(name)
            found.update((account.name, account) for account in mine)
            if not mine:
                unknown.append(name)
        if unknown:
            raise ConfigError([self._unknown(name) for name in dict.fromkeys(unknown)])
        return list(found.values())

    def _named(self, name: str) -> list[AccountConfig]:
        """Return the account of a name with its shared ones, or the shared account of that name; nothing where there is none."""
        account = self.config.accounts.get(name)
        if account is not None:
            return [account, *self._shared(account)]
        login = self.config.accounts.get(name.partition("/")[0])
        return [one for one in self._shared(login) if one.name == name] if login is not None else []

    def _shared(self, account: AccountConfig) -> list[AccountConfig]:
        if not account.shared:
            return []
        from jmapsync.app.shared import shared_accounts  # noqa: PLC0415  # most accounts have none

        return shared_accounts(account)

    def title(self, account: AccountConfig) -> str:
        """Return how the server names a shared account; an empty string for any other."""
        if account.login_of is None:
            return ""
        from jmapsync.app.shared import title_of  # noqa: PLC0415  # most accounts have none

        return title_of(account)

    def logins(self, names: Sequence[str] = ()) -> list[AccountConfig]:
        """Return the accounts of some names that stand in the configuration, all of them for none; raise `ConfigError`."""
        found = self.named_only(names)
        for account in found:
            if account.login_of is not None:
                raise ConfigError([f"{account.name} is a shared account; it signs in as {account.login.name}."])
        return found

    def named_only(self, names: Sequence[str] = ()) -> list[AccountConfig]:
        """Return the accounts of some names without shared ones that are not among them; raise `ConfigError`."""
        return [account for account in self.select(names) if account.login_of is None or account.name in names]

    def _unknown(self, name: str) -> str:
        known = [*self.config.accounts, *(one.name for account in self.config.accounts.values() for one in self._shared(account))]
        guess = nearest(name, known)
        hint = f"did you mean {guess!r}?" if guess else f"The accounts are: {', '.join(known)}."
        return f"There is no account {name!r} in {self.config.path}{'; ' if guess else '. '}{hint}"

    async def sync(
        self,
        names: Sequence[str] = (),
        kinds: Sequence[str] = (),
        *,
        dry_run: bool = False,
        full: bool = False,
        allow_deletes: bool = False,
        progress: Progress | None = None,
    ) -> RunReport:
        """Synchronize accounts concurrently in this process; one that fails never blocks another.

        `kinds` narrows what is done, none means all that are configured. Raise `ConfigError` for an unknown account, or a kind
        that no selected account has.
        """
        options = Options(full=full, dry=dry_run, allow_deletes=allow_deletes)
        return RunReport(await sync_here(self.config, self._wanted(names, kinds), options, progress or Silent()))

    def sync_or_hand_over(
        self,
        names: Sequence[str] = (),
        kinds: Sequence[str] = (),
        *,
        dry_run: bool = False,
        full: bool = False,
        allow_deletes: bool = False,
        progress: Progress | None = None,
    ) -> RunReport:
        """Do what `sync` does, but let daemons synchronize the accounts that they hold; a dry run is always made here."""
        options = Options(full=full, dry=dry_run, allow_deletes=allow_deletes)
        return sync_or_hand_over(self.config, self._wanted(names, kinds), options, progress or Silent())

    def _wanted(self, names: Sequence[str], kinds: Sequence[str]) -> list[tuple[AccountConfig, list[str]]]:
        """Return the accounts of some names that have any of some kinds, all for none, with these kinds."""
        accounts = self.select(names)
        wanted = [(account, [kind for kind in account.kinds if not kinds or kind in kinds]) for account in accounts]
        if not any(some for _, some in wanted):
            what = f"no kind {' or '.join(kinds)}" if kinds else "nothing to synchronize; add a table such as [accounts.NAME.mail]"
            whose = " and ".join(account.name for account in accounts)
            raise ConfigError([f"{whose} {'have' if len(accounts) > 1 else 'has'} {what}."])
        return [(account, some) for account, some in wanted if some]

    async def verify(
        self, names: Sequence[str] = (), *, progress: Progress | None = None
    ) -> dict[str, tuple[AccountReport, dict[str, Proof]]]:
        """Prove the mirrors of accounts complete; nothing is written, here or there, and no lock is taken."""
        from jmapsync.app.wiring import open_account  # noqa: PLC0415  # the HTTP library costs 100 ms

        found: dict[str, tuple[AccountReport, dict[str, Proof]]] = {}
        for account in self.select(names):
            started, report = time.monotonic(), AccountReport(account.name)
            proofs: dict[str, Proof] = {}
            try:
                kinds = list(account.kinds.values())
                async with open_account(account, self.config.safety, kinds, progress or Silent(), dry=True) as opened:
                    report, proofs = await opened.verify()
            except JmapsyncError as error:
                report.error, report.exit_code = str(error), error.exit_code
            report.seconds = time.monotonic() - started
            found[account.name] = (report, proofs)
        return found

    async def restore(
        self,
        name: str | None,
        paths: Sequence[str] = (),
        *,
        kind: str | None = None,
        into: str | None = None,
        dry_run: bool = False,
        progress: Progress | None = None,
    ) -> Restoration:
        """Put mirrored items of an account back on its server, or into another account.

        Without `name` there has to be one account only. Raise `ConfigError` for what there is not, `BusyError` and whatever
        else reaching the server raises.
        """
        from jmapsync.app.restoring import Restoration, hand_over, restore  # noqa: PLC0415  # the HTTP library costs 100 ms
        from jmapsync.app.sources import sources_of  # noqa: PLC0415

        account, paths = self._meant(name, paths)
        target = self.select([into])[0] if into is not None else account
        wanted = [config for one, config in account.kinds.items() if kind in {None, one}]
        if not wanted:
            raise ConfigError([f"{account.name} has no kind {kind}." if kind else f"{account.name} has nothing to restore."])
        sources = sources_of(account, wanted, paths)
        handed = None if dry_run else await hand_over(account, target, wanted, paths)
        if handed is None:
            handed = await restore(account, target, self.config.safety, sources, progress or Silent(), dry=dry_run)
        return Restoration(target.name, handed)

    def _meant(self, name: str | None, paths: Sequence[str]) -> tuple[AccountConfig, Sequence[str]]:
        """Return the account whose items are meant, and paths: a name that is no account's is the first of them."""
        accounts = self.config.accounts
        if name is None or (not self._named(name) and ("/" in name or os.path.lexists(name))):
            paths, name = ((*([name] if name is not None else []), *paths)), next(iter(accounts), None)
            if len(accounts) != 1 or name is None:
                raise ConfigError([f"Say which account is meant: {', '.join(accounts)}."])
        return self.select([name])[0], paths

    async def check(self, names: Sequence[str] = ()) -> list[Checkup]:
        """Reach the servers and return what they offer; nothing is changed on either side."""
        import asyncio  # noqa: PLC0415  # `status` and `mailboxes` do without

        from jmapsync.app.checkup import check_account  # noqa: PLC0415  # the HTTP library costs 100 ms
        from jmapsync.app.preview import foretell, unclaimed_files  # noqa: PLC0415  # a run needs none of it

        accounts = self.named_only(names)
        found = list(await asyncio.gather(*(check_account(account) for account in accounts)))
        for account, one in zip(accounts, found, strict=True):
            files = unclaimed_files(account.mail) if one.exit_code is ExitCode.IN_SYNC else 0
            if account.mail is not None and files:
                report = (await sync_here(self.config, [(replace(account, shared=False), ["mail"])], Options(dry=True), Silent()))[
                    account.name
                ]
                one.adoption = foretell(account.mail.path, files, report)
        return found

    def status(self, names: Sequence[str] = ()) -> list[AccountHealth]:
        """Return the state of accounts from their ledgers and daemons; works while another process writes."""
        from jmapsync.app.health import read_health  # noqa: PLC0415  # a run needs none of it

        return read_health(self.select(names))

    def health_watch(self, names: Sequence[str] = ()) -> HealthWatch:
        """Return what reads the state of accounts again and again, as `status` does once."""
        from jmapsync.app.health import HealthWatch  # noqa: PLC0415  # as above

        return HealthWatch(self.select(names))

    def conflict_copies(self, names: Sequence[str] = ()) -> list[ConflictCopies]:
        """Return the conflict copies of accounts: versions that lost a conflict."""
        from jmapsync.app.conflicts import ConflictCopies  # noqa: PLC0415  # a run needs none of it

        return [ConflictCopies(account) for account in (self.named_only(names) if names else self.select())]

    def mailboxes(self, names: Sequence[str] = (), *, named: bool = False) -> list[str]:
        """Return configuration lines that name the mirrored folders to a mail reader."""
        from jmapsync.app.mutt import folder_lines  # noqa: PLC0415  # a run needs none of it

        accounts = self.select(names)
        several = len(self.config.accounts) > 1 or len(accounts) > 1
        return [line for account in accounts for line in folder_lines(account, named=named, prefixed=several)]
