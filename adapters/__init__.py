"""The catalogue: one folder per integration (`manifest.toml` says what it is, `actions.py` what can be done there).

`_kit` is for authors of integrations. Integrations never import each other.
"""
