"""The local side of mail: a tree of Maildir folders."""
