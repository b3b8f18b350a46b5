"""Whisper models by whisper.cpp, in a child process."""
