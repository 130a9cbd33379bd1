"""Everything that touches keys and secrets: sealing credentials, OAuth, and recognising callers.

A credential's life: obtain (`oauth`) → seal and open (`envelope`, `credentials`) → destroy. Nothing here knows how
things are stored; what it needs is declared in `ports`.
"""
