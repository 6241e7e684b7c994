"""The pages that people look at: the run report, and the site around it."""
