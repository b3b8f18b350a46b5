"""A linear echo canceller in numpy: it leaves a person's voice as it is."""
