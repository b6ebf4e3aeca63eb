"""Hold the only rooms where time passes: cycles, execution, reports."""
