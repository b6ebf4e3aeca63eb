"""JMAP client (RFC 8620) for one server and one credential; independent of synchronization.

`wire` encodes and decodes without sockets, `session` parses the Session object, `hosts` decides which hosts may get the credential,
`auth` holds that credential, `transport` owns the connections, `retry_policy` decides on retries, `blobs` uploads and downloads.
"""
