"""Tables as Parquet files: written whole or not at all, read with the file's name in every error."""
