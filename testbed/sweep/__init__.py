"""Many runs, of every combination that a file names, on one machine or a Dask cluster; kept as Parquet."""
