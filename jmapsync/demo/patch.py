"""Apply a PatchObject as strictly as RFC 8620, section 5.3 words it."""

from __future__ import annotations

import copy
import re
from itertools import pairwise

from jmapsync.demo.problems import JsonObject, SetError

_STRAY_TILDE = re.compile(r"~(?![01])")


def apply_patch(record: JsonObject, patch: JsonObject, *, nested: bool = False) -> JsonObject:
    """Return a copy of a record with a patch applied.

    Raise SetError `invalidPatch` for a path into an array, one whose parents are not all there, two paths of which one leads
    to the other (unless `nested`: the shorter one is then followed first), and an escape that RFC 6901 does not know.
    """
    paths = sorted((split_path(path), path) for path in patch)
    for (shorter, _), (longer, name) in pairwise(paths):
        if longer[: len(shorter)] == shorter and not nested:
            raise SetError("invalidPatch", f"Another path leads to {name!r}.")
    patched = copy.deepcopy(record)
    for steps, path in paths:
        parent: object = patched
        for step in steps[:-1]:
            if not isinstance(parent, dict) or step not in parent:
                raise SetError("invalidPatch", f"Nothing lies on the way to {path!r}.")
            parent = parent[step]
        if not isinstance(parent, dict):
            raise SetError("invalidPatch", f"The path {path!r} does not lead into an object.")
        if patch[path] is None:
            parent.pop(steps[-1], None)
        else:
            parent[steps[-1]] = copy.deepcopy(patch[path])
    return patched


def split_path(path: str) -> list[str]:
    """Return the unescaped steps of a path; its leading slash may be missing. Raise SetError for a wrong escape."""
    if _STRAY_TILDE.search(path) is not None:
        raise SetError("invalidPatch", f"The path {path!r} is wrongly escaped.")
    return [step.replace("~1", "/").replace("~0", "~") for step in path.removeprefix("/").split("/")]
