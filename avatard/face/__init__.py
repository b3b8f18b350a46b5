"""What renderers share: cutting sound into frames, mouth shapes, contact sheets."""
