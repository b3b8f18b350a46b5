"""The conversation: listening, the place and its turns, displays, sessions, timers and the door for commands."""
