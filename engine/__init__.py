"""The engine: Vertex AI's tuning, metrics and chat, and Cloud Storage, served from this machine."""
