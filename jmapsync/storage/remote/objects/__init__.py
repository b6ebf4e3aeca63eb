"""The remote side of kinds whose bodies are objects: contacts, calendars, tasks, in the dialects that servers speak."""

from jmapsync.storage.remote.objects.dialect import Dialect, dialect_for
from jmapsync.storage.remote.objects.folders import collections
from jmapsync.storage.remote.objects.side import ObjectSide

__all__ = ["Dialect", "ObjectSide", "collections", "dialect_for"]
