"""The screen as furniture."""
