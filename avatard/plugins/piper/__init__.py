"""Piper voices in a child process (piper-tts is GPL-3 and stays there)."""
