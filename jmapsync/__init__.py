"""Keep JMAP accounts and local files in sync, both ways."""

__version__ = "0.1.0"
