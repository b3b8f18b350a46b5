"""Microphones through PortAudio."""
