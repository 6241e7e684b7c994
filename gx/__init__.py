"""The gate: what a batch is checked for before it is released.

`measuring` measures in a batch's files what its suite asks for, which `measures` writes
as SQL. `checks` is the program of a separate process, which `process` starts and talks
to; its `engine` alone imports Great Expectations, which runs the suite on the measures.
`counts` has the checks of a batch's counts, `gate` decides, and `failing` finds the
rows that fail a rule. `profile` describes the columns of a batch and says what is
unusual.
"""
