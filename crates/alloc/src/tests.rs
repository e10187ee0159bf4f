//! Allocators against their rules and against a model.

mod addresses;
mod assign;
mod ports;
