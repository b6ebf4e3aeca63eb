"""Read the configuration: TOML to frozen values; all errors are reported together, with line numbers.

`values` declares every key with its default and meaning, `reader` takes typed values out of tables, `lines` finds the line
of a key, `account` reads one account, `load` reads the whole file and checks what concerns several keys.
"""

from jmapsync.config.load import default_path, default_state_dir, load
from jmapsync.config.values import (
    AccountConfig,
    CalendarsConfig,
    CollectionsConfig,
    Config,
    ContactsConfig,
    DaemonConfig,
    HooksConfig,
    KindConfig,
    MailConfig,
    NotmuchConfig,
    SafetyConfig,
    SieveConfig,
    TasksConfig,
)

__all__ = [
    "AccountConfig",
    "CalendarsConfig",
    "CollectionsConfig",
    "Config",
    "ContactsConfig",
    "DaemonConfig",
    "HooksConfig",
    "KindConfig",
    "MailConfig",
    "NotmuchConfig",
    "SafetyConfig",
    "SieveConfig",
    "TasksConfig",
    "default_path",
    "default_state_dir",
    "load",
]
