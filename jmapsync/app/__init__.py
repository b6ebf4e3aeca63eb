"""The composition root: build the adapters, wire them, and offer one function for everything a command may ask.

`root` runs accounts, `signin` gets secrets, `unavailable` says what this version cannot do yet, `checkup` asks a server what it
offers, `health` tells what the ledgers know, `shelf` handles versions that lost a conflict, `mutt` names folders to a mail reader,
`tour` shows it all on the embedded server, `crash` writes reports of what nobody expected.
"""

from jmapsync.app.root import App

__all__ = ["App"]
