//! The revisioned key-value store behind the API server.
