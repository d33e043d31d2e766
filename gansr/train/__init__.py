"""Training of what the project ships itself. Never imported by the app."""
