"""One widget a module: the panels of the dashboard and what they are made of."""
