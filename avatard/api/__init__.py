"""What a plugin may know: the data that flows, the stages, the door for commands, news, context and errors."""
