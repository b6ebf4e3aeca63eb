"""Pure conversions between what the server and the disk hold; no paths are opened and no sockets."""
