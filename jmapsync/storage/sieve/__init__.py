"""Keep Sieve scripts as files of one directory, with a symbolic link to the active one."""
