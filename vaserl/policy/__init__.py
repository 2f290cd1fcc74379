"""Model maths on unmodified Hugging Face modules: positions, shared-prefix layout, logprobs, adapters, tiny models."""
