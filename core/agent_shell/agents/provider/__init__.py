"""Models of the providers, by `PROVIDER:MODEL`.

Nothing is loaded with the package: the configuration asks for its table alone.
"""
