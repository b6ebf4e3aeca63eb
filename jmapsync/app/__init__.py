"""The composition root: build the adapters, wire them, and offer one function for everything a command may ask.

`root` runs accounts, `signin` gets passwords, `checkup` asks a server what it offers, `script_check` examines Sieve scripts,
`health` reads the state of accounts, `conflicts` handles conflict copies, `mutt` writes folder lists for mail readers, `demo`
shows it all on the embedded server, `setup` adds an account to the configuration, `crash` writes reports of unexpected exceptions.
"""

from jmapsync.app.root import App

__all__ = ["App"]
