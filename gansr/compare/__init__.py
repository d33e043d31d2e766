"""Several methods on one picture: which part of it each receives, in which order they run, and how they compare.

`plan` makes an entry for each request, `run` runs them cheap ones first, `table` and `verdict` say how they compare,
`cli` is the command.
"""
