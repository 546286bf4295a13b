"""From what strategies answer to orders: intake, votes, decisions."""
