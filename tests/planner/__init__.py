"""The planner, specified: the table cell by cell, the hard cases, the properties, and mutants that prove these can fail."""
