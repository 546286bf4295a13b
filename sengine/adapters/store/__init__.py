"""The store of records: an SQLite file made from the journal."""
