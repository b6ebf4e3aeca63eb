"""Tags of a notmuch database beside a Maildir: keywords and mailboxes under other names."""
