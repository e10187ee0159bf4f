//! PTR: the names of an address.

use super::super::locate::Found;
use super::{Ask, Sections};
use crate::wire::Rdata;

pub(super) fn records(ask: &Ask<'_>, found: &Found<'_, '_>, sections: &mut Sections) {
    if let Found::Reverse(address) = found {
        sections
            .answers
            .extend(ask.zone.names_of(*address).into_iter().map(|name| ask.own(Rdata::Ptr(name))));
    }
}
