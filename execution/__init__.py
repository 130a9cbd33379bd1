"""What happens to a call, top to bottom: read `pipeline`, then `ports` for what it stands on.

resolve → validate → permit → admit → lease → call → classify → record → tell
"""
