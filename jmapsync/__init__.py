"""Keep a JMAP account and local files the same, both ways."""
