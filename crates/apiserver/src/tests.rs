//! The server in process over the memory engine.

mod lab;
mod objects;
mod wire;
