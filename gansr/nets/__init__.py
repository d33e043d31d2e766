"""Networks that several papers share, a module each. They import `ops` and torch only."""
