//! What was ignored, and why: for logs and for people who wonder.

use std::fmt;

use portway_base::ObjectKey;

/// Something in an object that has no effect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// The Service (or the slice, if it belongs to none).
    pub object: ObjectKey,
    /// Why.
    pub reason: Reason,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.reason)
    }
}

/// Why something has no effect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// An address or range that cannot be read.
    BadAddress {
        /// Field path.
        field: &'static str,
        /// As written.
        value: String,
    },
    /// A port number outside 1 to 65535.
    BadPort {
        /// Field path.
        field: &'static str,
        /// As written.
        value: i32,
    },
    /// A protocol nobody knows.
    BadProtocol(String),
    /// Another Service port has the same destination.
    Taken {
        /// The destination.
        front: String,
        /// Who has it.
        by: String,
    },
    /// A slice whose label names no Service.
    NoServiceLabel,
    /// A slice of an address type that is not proxied.
    AddressType(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadAddress { field, value } => write!(f, "{field}: {value:?} is not an address, ignored"),
            Self::BadPort { field, value } => write!(f, "{field}: {value} is not a port, ignored"),
            Self::BadProtocol(name) => write!(f, "protocol {name:?} is unknown, port ignored"),
            Self::Taken { front, by } => write!(f, "{front} already belongs to {by}, ignored"),
            Self::NoServiceLabel => {
                f.write_str("slice without the label kubernetes.io/service-name, ignored")
            }
            Self::AddressType(kind) => write!(f, "slice of address type {kind:?}, ignored"),
        }
    }
}
