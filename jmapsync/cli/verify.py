"""`jmapsync verify`: prove the mirror complete."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jmapsync.cli.output import say, say_json
from jmapsync.cli.parameters import ACCOUNT
from jmapsync.cli.settings import Settings, pass_settings
from jmapsync.sync.report import counted

if TYPE_CHECKING:
    from jmapsync.backup.verify import Proof
    from jmapsync.sync.report import AccountReport


@click.command()
@click.argument("accounts", metavar="[ACCOUNT]...", nargs=-1, type=ACCOUNT)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@pass_settings
def verify(settings: Settings, accounts: tuple[str, ...], *, as_json: bool) -> int:
    """Compare every item of the server with its files, byte for byte, and name what differs; nothing is written.

    Mail that arrives or changes while it runs may be listed too: then verify once more.
    """
    import asyncio  # noqa: PLC0415  # `--help` must be fast

    from jmapsync.errors import ExitCode  # noqa: PLC0415
    from jmapsync.sync.report import worst  # noqa: PLC0415

    found = asyncio.run(settings.app().verify(accounts, progress=settings.progress()))
    different = any(proof.differences for _, proofs in found.values() for proof in proofs.values())
    code = worst([ExitCode.QUARANTINED if different else ExitCode.IN_SYNC, *(report.worst for report, _ in found.values())])
    if as_json:
        say_json({"ok": code == 0, "accounts": {name: _object(*one) for name, one in found.items()}})
    for name, (report, proofs) in found.items():
        if not as_json:
            _print(name, report, proofs, counts=not settings.quiet)
        for kind in report.kinds:
            for message in report.messages_of(kind):
                say(f"{name} {kind}: {message}", err=True)
        if report.error:
            say(f"{name}: {report.error}", err=True)
    return code


def _object(report: AccountReport, proofs: dict[str, Proof]) -> dict[str, object]:
    failed = {kind: {"state": "failed", "why": " ".join(one.messages)} for kind, one in report.kinds.items() if one.exit_code}
    kinds = {**{kind: proof.to_json() for kind, proof in proofs.items()}, **failed}
    return {"seconds": round(report.seconds, 3), "requests": report.requests, "error": report.error, "kinds": kinds}


def _print(name: str, report: AccountReport, proofs: dict[str, Proof], *, counts: bool) -> None:
    for kind, proof in proofs.items():
        for path, (here, there) in sorted(proof.containers.items()):
            if counts:
                say(f"{name} {kind}: {path}: {here:,} here, {there:,} on the server")
        for one in proof.differences:
            say(f"{name} {kind}: different: {one.item}: {one.why}")
        for one in proof.not_kept if counts else ():
            say(f"{name} {kind}: the server does not store all of {one.item}: {one.why}; it stays in the file")
        result = counted(len(proof.differences), "difference") if proof.differences else "complete"
        if counts or proof.differences:
            how = _proved(kind, proof)
            read = f"{counted(proof.items, 'item')}, {counted(proof.files, 'file')}, {proof.octets / 1e6:.1f} MB read{how}"
            say(f"{name} {kind}: {result} ({read}, {report.seconds:.1f} s)")


def _proved(kind: str, proof: Proof) -> str:
    if kind != "mail":
        return ""
    return f", {proof.digests:,} proved by the server's digests" if proof.digests else f", {proof.bodies:,} fetched again"
