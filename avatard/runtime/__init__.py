"""What carries the daemon: configuration, plugins, models on threads and in children, the life from start to stop."""
