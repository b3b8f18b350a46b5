"""Silero voice activity detection from an ONNX file."""
