"""The gate: what a batch is checked for before it is released.

`checks` runs the suites of expectations, and nothing else imports Great Expectations:
it is the program of a separate process, which `process` starts and talks to. `counts`
has the checks of a batch's counts, `gate` decides, and `failing` finds the rows that
fail a rule. `profile` describes the columns of a batch and says what is unusual.
"""
