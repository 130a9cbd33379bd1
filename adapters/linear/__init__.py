"""Linear: issues, what state they are in, and who works on them."""
