//! The durable engine over a disk that fails, loses power, fills up.

mod disk;
mod faults;
mod opening;
