"""The evaluation on held-out clips of the synthetic world, where everything that matters is known.

`plan` says what is generated from a clip, `takes` generates and keeps it, `measures` compares it with the
truth, `summary` sets every number beside its ceiling, its controls and its criterion, `charts` and `page`
show it, `command` runs all of it.
"""
