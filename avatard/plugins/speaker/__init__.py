"""The sound card as a display: the clock of a box without a screen."""
