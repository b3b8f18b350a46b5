"""espeak-ng speech in a child process (GPL-3 stays there)."""
