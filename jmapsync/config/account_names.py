"""List the names of the accounts of a configuration that may be wrong, for the completion of a shell."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from jmapsync.config.files import included, parsed, read_given
from jmapsync.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def account_names(path: Path) -> list[str]:
    """Return the names in a configuration file and those that it includes; none of a file that cannot be read."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe can be read once, and not by the completion
            return []
        content, private = read_given(path)
        main = parsed(content, path.absolute(), private=private)
    except (ConfigError, OSError):
        return []
    sources = [main]
    with suppress(ConfigError):
        sources += included(main, main.top().texts("include", ()))
    tables = [source.document.get("accounts") for source in sources]
    return [name for table in tables if isinstance(table, dict) for name in table if name.isprintable()]
