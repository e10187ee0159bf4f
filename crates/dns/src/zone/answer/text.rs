//! TXT: the version of the schema.

use super::super::locate::Found;
use super::{Ask, Sections};
use crate::wire::{Record, Txt};

/// Version of the Kubernetes DNS schema that the zone follows.
const SCHEMA_VERSION: &str = "1.1.0";
/// It does not change while a server runs: eight hours, seconds.
const VERSION_TTL: u32 = 28800;

pub(super) fn records(ask: &Ask<'_>, found: &Found<'_, '_>, sections: &mut Sections) {
    if let Found::Version = found {
        let text = Txt::new([SCHEMA_VERSION.as_bytes()]);
        sections.answers.push(Record::new(ask.question.name.clone(), VERSION_TTL, text));
    }
}
