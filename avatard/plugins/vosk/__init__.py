"""Vosk: Kaldi's recognisers for some 20 languages, in a child process."""
