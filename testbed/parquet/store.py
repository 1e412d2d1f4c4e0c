"""Parquet files by pyarrow, and views of folders of them by DuckDB. Both are extras.

A file is written under another name and renamed: whatever ends the process, a file that is there is whole.
"""

import errno
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from testbed.errors import InputError, UnsupportedError

_UNDER_WAY: Final = ".under-way"


def extra(module: str, name: str) -> Any:
    """A module of an optional dependency. UnsupportedError, with the remedy, where it is missing."""
    try:
        return import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        message = f"{package} is not installed; get it: pip install 'runet-testbed[{name}]'"
        raise UnsupportedError(message) from None


def schema_of(types: Mapping[str, str], about: Mapping[str, str]) -> Any:
    """A pyarrow schema of columns and their types ("int64", "string", "list<string>"), with metadata."""
    arrow = extra("pyarrow", "data")

    def typed(name: str) -> Any:
        inner = name.removeprefix("list<").removesuffix(">")
        return arrow.list_(typed(inner)) if inner != name else getattr(arrow, name)()

    fields = [arrow.field(column, typed(name), nullable=False) for column, name in types.items()]
    return arrow.schema(fields, metadata=dict(about))


def put_table(path: Path, rows: Sequence[Mapping[str, Any]], schema: Any) -> None:
    """Write rows as one row group; the same rows make the same bytes. OSError that names the file."""
    put_bytes(path, table_bytes(rows, schema))


def table_bytes(rows: Sequence[Mapping[str, Any]], schema: Any) -> bytes:
    """Rows as a Parquet file of one row group."""
    return _packed(extra("pyarrow", "data").Table.from_pylist(list(rows), schema=schema))


def column_bytes(columns: Mapping[str, Sequence[Any]], schema: Any) -> bytes:
    """The same of columns, which takes a fraction of the time."""
    return _packed(extra("pyarrow", "data").Table.from_pydict(dict(columns), schema=schema))


def joined(files: Sequence[Path]) -> bytes:
    """Files of one schema as one, of one row group. InputError as `rows_in`."""
    arrow, tables = extra("pyarrow", "data"), []
    for file in files:
        with _named(file):
            tables.append(extra("pyarrow.parquet", "data").ParquetFile(file).read())
    return _packed(arrow.concat_tables(tables).combine_chunks())


def _packed(table: Any) -> bytes:
    buffer = io.BytesIO()
    parquet = extra("pyarrow.parquet", "data")
    parquet.write_table(table, buffer, compression="zstd", row_group_size=max(table.num_rows, 1))
    return buffer.getvalue()


def put_bytes(path: Path, data: bytes | memoryview) -> None:
    """Write a file whole. OSError that names the file, as of a full disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + _UNDER_WAY)
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
        part.replace(path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            part.unlink(missing_ok=True)
        raise OSError(error.errno, os.strerror(error.errno or 0), str(path)) from error


def rows_in(path: Path) -> int:
    """How many rows a file has, by its footer. InputError for one that was cut short or is something else."""
    with _named(path):
        return int(extra("pyarrow.parquet", "data").ParquetFile(path).metadata.num_rows)


def values_in(path: Path, column: str) -> list[Any]:
    """A column of one file. InputError as `rows_in`."""
    with _named(path):
        found = extra("pyarrow.parquet", "data").ParquetFile(path).read(columns=[column])
        return list(found.column(column).to_pylist())


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of one file. InputError as `rows_in`."""
    with _named(path):
        return list(extra("pyarrow.parquet", "data").ParquetFile(path).read().to_pylist())


def metadata_of(path: Path) -> dict[str, str]:
    """What the writer noted in a file beside its rows. InputError as `rows_in`."""
    with _named(path):
        found = extra("pyarrow.parquet", "data").ParquetFile(path).schema_arrow.metadata or {}
    return {key.decode(): value.decode() for key, value in found.items()}


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Errors of the library, with the file's name and what to do."""
    arrow = extra("pyarrow", "data")
    try:
        yield
    except FileNotFoundError:
        raise
    except (arrow.ArrowException, OSError) as error:
        said = (str(error).splitlines() or [""])[0].rstrip(". ")
        remedy = "remove it: the command that made it makes it again"
        message = f"cut short, or no Parquet file ({said})"
        raise InputError.at(str(path), message, remedy) from error


def views_of(tables: Mapping[str, str]) -> str:
    """SQL for DuckDB: a view of each table, over the files of its pattern, partitions as columns."""
    return "".join(
        f"CREATE OR REPLACE VIEW {name} AS\n"
        f"  SELECT * FROM read_parquet('{pattern}', hive_partitioning = true);\n"
        for name, pattern in tables.items()
    )


def opened(folder: Path, tables: Mapping[str, str]) -> Any:
    """A DuckDB connection in which each table of a folder is a view. InputError if there are no files."""
    duckdb = extra("duckdb", "data")
    connection = duckdb.connect()
    for name, pattern in tables.items():
        if not any(folder.glob(pattern)):
            raise InputError.at(str(folder), f"no file of the table {name!r} ({pattern})", "name its folder")
        quoted = str(folder / pattern).replace("'", "''")
        connection.execute(views_of({name: quoted}))
    return connection
