"""A language model on this machine: a GGUF file and llama.cpp in a child process."""
