"""One file for each tool. What a file may need of the others is in the package above."""
