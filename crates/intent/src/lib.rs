//! What the dataplane of one node shall do: the IR between Service semantics and backends.
