"""Can the sync scores be trusted? `offsets`, `recordings` and `published` compare them with what is known,
`performance` measures their cost, `command` writes the page.
"""
