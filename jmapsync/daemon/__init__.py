"""The daemon: account loops, triggers, file watching, push connections and the scheduler."""
