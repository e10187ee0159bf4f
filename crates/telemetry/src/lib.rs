//! Logging. Knows nothing of the rest of Portway.
#![forbid(unsafe_code)]

pub mod log;
