"""The page. Gradio is imported only below here."""
