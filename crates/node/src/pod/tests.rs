//! Life cycles as tables.
