"""Recognise items that both sides already hold: after a crash, a lost ledger, or from other programs."""
