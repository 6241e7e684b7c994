"""The gate: what a batch is checked for before it is released.

`checks` runs the suites of expectations, and nothing else imports Great Expectations:
it is the program of a process of its own, which `process` starts and talks to. `counts`
holds what the manifest says of a batch, `gate` decides, and `failing` finds the rows
that fail a rule. `profile` describes the columns of a batch and says what is unusual.
"""
