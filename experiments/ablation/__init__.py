"""The paper's ablations: the same model trained for equally many steps with and without each of its parts.

`variants` says what is left out, `cells` trains and measures one variant with one seed and keeps the result,
`table` compares them.
"""
