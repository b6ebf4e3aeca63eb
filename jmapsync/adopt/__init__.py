"""Match items that both sides already hold: after a crash, a lost ledger, or a migration from another program."""
