"""The screens: the dashboard, the details of a strategy and of a symbol, and the dialogs."""
