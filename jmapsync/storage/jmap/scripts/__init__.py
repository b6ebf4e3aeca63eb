"""Read and write the Sieve scripts of a server (RFC 9661)."""
