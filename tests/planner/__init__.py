"""The planner, specified: the table cell by cell, the conflicts, the properties, and mutants that prove these can fail."""
