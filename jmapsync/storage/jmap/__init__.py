"""The remote side of mail: mailboxes and emails of one account on a JMAP server (RFC 8621)."""
