"""The sync core: observe, ingest, plan, guard, execute, commit."""
