"""Speak JMAP (RFC 8620) to one server with one credential; knows nothing of syncing.

`wire` encodes and decodes without sockets, `session` reads what a server offers, `hosts` decides who may be sent the credential,
`auth` holds that credential, `transport` owns the connections, `client` retries by remedy, `blobs` moves bytes.
"""
