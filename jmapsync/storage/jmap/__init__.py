"""The remote sides on a JMAP server: mail, and the objects of contacts, calendars and tasks."""
