"""Recordings as a microphone, and a file as a display."""
