"""microWakeWord: wake words for half a percent of a core."""
