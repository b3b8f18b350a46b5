"""PocketSphinx: speech recognition on a spoken grammar, with no download."""
