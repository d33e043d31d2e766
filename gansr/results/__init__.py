"""Results as data: one record per measured picture, and the tables and the plane that are made of them.

`records` is the schema and the files, `merge` brings files of several machines together, `means` averages over
pictures, `tables` and `plane` are what the page, the command line and the static site show. docs/results.md describes
the files. Importing this module imports nothing else.
"""
