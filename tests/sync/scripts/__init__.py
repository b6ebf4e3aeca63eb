"""Sieve scripts, both ways."""
