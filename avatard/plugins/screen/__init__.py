"""The attached display: mpv, or ffplay where that is missing."""
