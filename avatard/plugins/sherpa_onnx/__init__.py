"""Streaming transducers (zipformer) by sherpa-onnx, in a child process."""
