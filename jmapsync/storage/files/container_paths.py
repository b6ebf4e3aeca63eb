"""Keep where containers lie below a root, so that one that is not known any more is met as a folder that is gone."""

from __future__ import annotations

import errno


class Whereabouts(dict[int, str]):
    """Paths by container. One that is missing raises FileNotFoundError, not KeyError.

    A folder may be renamed or removed at any moment of a run, here or by another client: what is to be done in it is then stale,
    as it is where the file itself is gone.
    """

    def __missing__(self, key: int) -> str:
        """Raise FileNotFoundError."""
        raise FileNotFoundError(errno.ENOENT, "its folder was renamed or removed meanwhile", f"folder {key}")
