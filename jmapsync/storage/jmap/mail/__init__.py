"""Mail on a JMAP server: emails and mailboxes (RFC 8621)."""
