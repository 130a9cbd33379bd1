"""The nouns of Mandate and its pure rules. No input or output happens here and nothing outside Python is imported."""
