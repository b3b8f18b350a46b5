"""The face that avatard draws itself."""
