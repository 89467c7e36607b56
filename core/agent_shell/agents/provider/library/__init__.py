"""What is built on pydantic_ai: loaded by `loading.py` alone, in a thread."""
