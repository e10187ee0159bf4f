//! Access to an API server, over HTTPS or in process.
