"""How the kernel is made to do what the core decides. Nothing is decided here."""
