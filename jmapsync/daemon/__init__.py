"""Run while time passes: account loops, triggers, watching, push, the timetable."""
