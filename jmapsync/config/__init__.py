"""Read the configuration: TOML to frozen values, telling every mistake at once, each with its line.

`values` says what can be configured and what holds where nothing is said, `reader` takes typed values out of tables, `lines` knows
where a key stands, `account` reads one account,
`load` puts all together and checks what no single key can show.
"""

from jmapsync.config.load import default_path, default_state_dir, load
from jmapsync.config.values import (
    AccountConfig,
    CalendarsConfig,
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
