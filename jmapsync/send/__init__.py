"""Send messages: the delivery of what waits in the outbox."""
