"""Format log records for a terminal or a journal."""

from __future__ import annotations

import logging
from typing import Any

from jmapsync.text import one_line


class SafeFormatter(logging.Formatter):
    """Format each log record as one line."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the name of the standard library
        """Return the line of a record, without a traceback."""
        record.message = one_line(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: ANN401, N802  # as in the standard library
        """Return a traceback, with control characters escaped: its last lines quote servers."""
        return "\n".join(one_line(line) for line in super().formatException(ei).split("\n"))
