//! The nftables backend: intent in, rules in the kernel out, over its own netlink encoder.
//!
//! The pure half: [`render`] makes an [`Image`] of what the kernel shall hold, [`diff`] the operations that
//! lead there, [`trace`] says what an image does to a packet, [`Fake`] executes operations as strictly as
//! the kernel. The I/O half: [`Nftables`] loads and commits. Only tables named [`TABLE`] are ever touched.
//! Must not know Service objects or other backends.
#![deny(unsafe_code)]

pub mod codec;
mod diff;
mod driver;
mod expr;
mod fake;
mod layout;
mod model;
pub mod netlink;
mod text;
mod trace;

pub use diff::{Op, Patch, diff};
pub use driver::{Backend, CommitError, Nftables};
pub use expr::{CtKey, DynOp, Expr, MetaKey, PayloadBase, Reg, Target};
pub use fake::{Fake, Refused};
pub use layout::{Classes, patch, render, render_family};
pub use model::{
    Base, Chain, ChainKind, Data, Entry, Field, Hook, Image, Key, Rule, Set, SetSpec, TABLE, Table, Value,
    Verdict,
};
pub use trace::{Memory, trace};

#[cfg(test)]
mod tests;
