"""The rules of the house, each a sentence. Fast: `make check` runs them all."""
