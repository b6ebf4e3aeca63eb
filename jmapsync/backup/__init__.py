"""Verify that a mirror is complete, and restore what the server lacks."""
