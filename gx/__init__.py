"""Quality: what a batch is checked for at the gate, and what was seen of the models.

`suites` turns the seed into suites of expectations, `checks` runs them, and nothing
else imports Great Expectations: it is the program of a process of its own, which
`process` starts and talks to. `counts` holds what the manifest says of a batch,
`gate` decides, `failing` finds the rows that fail a rule, and `decisions` is what a
person may do about a rejected batch. `profile` describes the columns of a batch and
tells what is unusual, `results` reads what dbt saw in the build.
"""
