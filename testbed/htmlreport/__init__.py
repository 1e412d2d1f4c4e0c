"""`testbed report`: runs, evaluations, monitors and matrices on one page that loads nothing."""
