"""A real browser, driven by its own driver: what a page came to, and a picture of it."""
