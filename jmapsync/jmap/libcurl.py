"""Import pycurl, and take away the variable by which libcurl and OpenSSL would write the keys of every connection to a file.

It is read whenever a connection is made, so it stays away; Python's ssl does not heed it here either.
"""

from __future__ import annotations

import os

import pycurl

if not hasattr(pycurl, "PREREQFUNCTION"):
    raise ImportError(f"{pycurl.version} is older than PycURL 7.45.7 with libcurl 7.80")

os.environ.pop("SSLKEYLOGFILE", None)

__all__ = ["pycurl"]
