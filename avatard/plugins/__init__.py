"""The platforms that ship; runtime/plugin.py opens them by name."""
