"""Media types, and Accept headers: James before 3.9 answers requests that do not name this version of JMAP with 404."""

from __future__ import annotations

JSON = "application/json; jmapVersion=rfc-8621"
"""The Accept of requests whose answer is JSON; James reads the first media type alone."""
ANYTHING = f"{JSON}, */*"
"""The Accept of downloads."""
EVENTS = f"{JSON}, text/event-stream"
"""The Accept of an event stream."""
BINARY = "application/octet-stream"
"""What is sent or asked for without a type of its own."""
