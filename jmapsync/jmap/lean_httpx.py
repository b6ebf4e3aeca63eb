"""Import httpx without its command line, and set what it leaves to its parts."""

from __future__ import annotations

import logging
import sys
from importlib.util import find_spec

# httpx imports its own command line with all of rich and pygments if it can: 45 ms of a run that may last 200. An entry of
# None makes that import fail, which httpx provides for.
if "httpx" not in sys.modules:
    sys.modules["httpx._main"] = None  # type: ignore[assignment]  # the documented way to make an import fail
import httpx

if sys.modules.get("httpx._main", sys) is None:
    del sys.modules["httpx._main"]
import httpcore

# httpcore tries to import sniffio four times a request. Where that is missing each attempt takes 70 us; with None it fails at once.
if find_spec("sniffio") is None:
    sys.modules["sniffio"] = None  # type: ignore[assignment]  # the documented way to make an import fail

CHUNK = 1 << 18

# Every read passes through five layers; at 64 KB a read, as httpcore has it, that is a tenth of the time of a first pull.
httpcore.AsyncHTTP11Connection.READ_NUM_BYTES = CHUNK
# It writes every header of HTTP/2 into its debug log, the secret included.
logging.getLogger("hpack").setLevel(logging.INFO)

__all__ = ["CHUNK", "httpx"]
