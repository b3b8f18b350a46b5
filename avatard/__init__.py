"""avatard gives a smart home a face: it listens, thinks, speaks and shows a talking avatar, locally."""

__version__ = "0.1.0"
