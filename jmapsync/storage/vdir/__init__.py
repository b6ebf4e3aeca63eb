"""Contacts, calendars and tasks as vdir collections: a directory per container, a file per item (vdirsyncer, docs/vdir.rst)."""
