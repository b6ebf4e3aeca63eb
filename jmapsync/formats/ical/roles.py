"""Name what ATTENDEE, ORGANIZER and PARTICIPANT say of somebody, on both sides of the conversion."""

from __future__ import annotations

from typing import Final

from jmapsync.formats.ical.fields import enum, lowered

ROLES: Final = [
    ("OWNER", "owner"),
    ("CHAIR", "chair"),
    ("REQ-PARTICIPANT", "required"),
    ("OPT-PARTICIPANT", "optional"),
    ("NON-PARTICIPANT", "informational"),
]
"""Roles, the one that says most first: a line has one only."""
_KINDS: Final = [("INDIVIDUAL", "individual"), ("GROUP", "group"), ("RESOURCE", "resource"), ("ROOM", "location")]
_STATUS: Final = lowered("NEEDS-ACTION ACCEPTED DECLINED TENTATIVE DELEGATED")
_PROGRESS: Final = lowered("COMPLETED IN-PROCESS FAILED")
read_role, write_role = enum(ROLES)
read_kind, write_kind = enum(_KINDS)
read_status, write_status = enum(_STATUS)
read_progress, write_progress = enum(_PROGRESS)
TEXTS: Final = {"CN": "name", "EMAIL": "email", "SENT-BY": "sentBy"}
"""The parameters that ATTENDEE and ORGANIZER share."""
SETS: Final = {"DELEGATED-FROM": "delegatedFrom", "DELEGATED-TO": "delegatedTo", "MEMBER": "memberOf"}
