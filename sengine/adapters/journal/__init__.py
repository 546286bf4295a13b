"""The journal: every event that an engine took and what it led to, in files, written and read."""
