//! The server in process over the memory engine.

mod apply;
mod https;
mod lab;
mod lifecycle;
mod objects;
mod robust;
mod watch;
mod wire;
