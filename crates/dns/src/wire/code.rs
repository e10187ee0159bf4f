//! The numbers of the protocol: record types, classes, opcodes, response codes, with their names.

use std::fmt;
use std::str::FromStr;

macro_rules! codes {
    ($(#[$attr:meta])* $name:ident($int:ty), $prefix:literal { $($(#[$vattr:meta])* $variant:ident = $number:literal, $text:literal;)* }) => {
        $(#[$attr])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $int);

        #[allow(missing_docs)]
        impl $name {
            $($(#[$vattr])* pub const $variant: Self = Self($number);)*
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.0 {
                    $($number => f.write_str($text),)*
                    other => write!(f, concat!($prefix, "{}"), other),
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = UnknownCode;

            fn from_str(text: &str) -> Result<Self, UnknownCode> {
                match text {
                    $($text => Ok(Self($number)),)*
                    other => other
                        .strip_prefix($prefix)
                        .and_then(|number| number.parse().ok())
                        .map(Self)
                        .ok_or_else(|| UnknownCode(other.to_owned())),
                }
            }
        }
    };
}

/// A text that names no type, class, opcode or response code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown code {0:?}")]
pub struct UnknownCode(pub String);

codes! {
    /// The type of a record or of a question.
    Rtype(u16), "TYPE" {
        A = 1, "A";
        NS = 2, "NS";
        CNAME = 5, "CNAME";
        SOA = 6, "SOA";
        PTR = 12, "PTR";
        HINFO = 13, "HINFO";
        MX = 15, "MX";
        TXT = 16, "TXT";
        AAAA = 28, "AAAA";
        SRV = 33, "SRV";
        OPT = 41, "OPT";
        DS = 43, "DS";
        DNSKEY = 48, "DNSKEY";
        HTTPS = 65, "HTTPS";
        IXFR = 251, "IXFR";
        AXFR = 252, "AXFR";
        ANY = 255, "ANY";
        CAA = 257, "CAA";
    }
}

codes! {
    /// The class of a record or of a question; all but IN is history.
    Class(u16), "CLASS" {
        IN = 1, "IN";
        CH = 3, "CH";
        HS = 4, "HS";
        NONE = 254, "NONE";
        ANY = 255, "ANY";
    }
}

codes! {
    /// What a message asks for (four bits).
    Opcode(u8), "OPCODE" {
        QUERY = 0, "QUERY";
        STATUS = 2, "STATUS";
        NOTIFY = 4, "NOTIFY";
        UPDATE = 5, "UPDATE";
    }
}

codes! {
    /// How a query went. Twelve bits: the upper eight travel in the OPT record.
    Rcode(u16), "RCODE" {
        NOERROR = 0, "NOERROR";
        FORMERR = 1, "FORMERR";
        SERVFAIL = 2, "SERVFAIL";
        NXDOMAIN = 3, "NXDOMAIN";
        NOTIMP = 4, "NOTIMP";
        REFUSED = 5, "REFUSED";
        BADVERS = 16, "BADVERS";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        let check = |text: &str, expect: Option<u16>| {
            let got = text.parse::<Rtype>().ok();
            assert_eq!(got.map(|t| t.0), expect, "{text}");
            if let Some(t) = got {
                assert_eq!(t.to_string(), text);
            }
        };
        check("A", Some(1));
        check("HTTPS", Some(65));
        check("TYPE65400", Some(65400));
        check("TYPE70000", None);
        check("NOPE", None);
    }
}
