"""Compare a profile of the embedded server with the real server of that name: the same requests, the same answers."""
