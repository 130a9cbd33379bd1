"""The GraphQL contract and nothing else: shape, words, nullability. Every field calls a use case in `resolvers`.

`schema.graphql` beside this file is what is served; a test compares the two, so every change of contract shows.
"""
