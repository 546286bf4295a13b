"""What keeps a strategy from holding up the loop, and tells when one does."""
