"""The dialogue of `jmapsync init`: find the server, sign in, choose what is synchronized, write the configuration, start.

`answers` holds what options answer, `server` finds the server and has its host approved, `sign_in` signs in, `contents` chooses
kinds, folders and mailboxes, `finish` checks and starts, `dialogue` does these one after the other.
"""
