"""Keep JMAP accounts and local files in sync, both ways."""
