"""Strategies in processes of their own, and the host that runs a Python one."""
