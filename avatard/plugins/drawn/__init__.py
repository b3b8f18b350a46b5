"""A face drawn by code: the default avatar."""
