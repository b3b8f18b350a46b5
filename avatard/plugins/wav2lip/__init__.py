"""Wav2Lip: a photograph or a film whose mouth a network draws."""
