"""The remote side of kinds whose bodies are objects: contacts, calendars, tasks, in the dialects that servers speak."""

from jmapsync.storage.jmap.objects.containers import collections, stated_rights
from jmapsync.storage.jmap.objects.dialect import Dialect
from jmapsync.storage.jmap.objects.dialects import dialect_for
from jmapsync.storage.jmap.objects.side import ObjectSide

__all__ = ["Dialect", "ObjectSide", "collections", "dialect_for", "stated_rights"]
