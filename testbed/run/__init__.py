"""One run from start to finish: choose, enter, build, serve, measure or execute, collect, judge."""
