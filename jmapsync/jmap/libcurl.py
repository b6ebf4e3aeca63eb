"""Import pycurl so that libcurl, which reads this one variable when it starts, writes the keys of no connection to a file."""

from __future__ import annotations

import os

_VARIABLE = "SSLKEYLOGFILE"

_named = os.environ.pop(_VARIABLE, None)
try:
    import pycurl
finally:
    if _named is not None:
        os.environ[_VARIABLE] = _named

__all__ = ["pycurl"]
