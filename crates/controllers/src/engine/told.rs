//! Keeps controllers from saying the same thing again at every look.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::plan::Note;

/// The same note is published again only after this.
const SILENCE: Duration = Duration::from_secs(300);
/// Notes remembered; beyond that the old ones are forgotten first.
const MEMORY: usize = 4096;

/// The notes published of late.
#[derive(Debug, Default)]
pub struct Told {
    notes: BTreeMap<Note, Duration>,
}

impl Told {
    /// Whether to publish the note now; if so, it counts as published.
    pub fn is_news(&mut self, note: &Note, now: Duration) -> bool {
        if self.notes.get(note).is_some_and(|at| now < *at + SILENCE) {
            return false;
        }
        if self.notes.len() >= MEMORY {
            self.notes.retain(|_, at| now < *at + SILENCE);
        }
        if self.notes.len() >= MEMORY {
            self.notes.clear();
        }
        self.notes.insert(note.clone(), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portway_base::ObjectKey;

    #[test]
    fn the_same_note_is_news_once_in_a_while() {
        let note = |message: &str| Note {
            api_version: "v1".into(),
            kind: "Service",
            key: ObjectKey::new("ns", "web"),
            uid: "u".into(),
            warning: true,
            reason: "R",
            message: message.into(),
        };
        let mut told = Told::default();
        let at = Duration::from_secs;
        assert!(told.is_news(&note("a"), at(0)));
        assert!(!told.is_news(&note("a"), at(299)));
        assert!(told.is_news(&note("b"), at(299)), "another message is another note");
        assert!(told.is_news(&note("a"), at(300)));
    }
}
