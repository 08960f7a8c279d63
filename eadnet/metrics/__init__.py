"""How well a result holds up: lip-sync scores and weak meters that need no weights."""
