"""Any OpenAI-compatible server as a responder: llama-server, Ollama, vLLM, LocalAI."""
