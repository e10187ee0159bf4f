//! Answers of other servers, kept for as long as they may be.
//!
//! Takes the time as an argument; the shards are locked one at a time and hold a bounded number of entries each.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::wire::{Message, Question, Rcode, Record, Rtype};

/// Number of independently locked parts.
const SHARDS: usize = 64;
/// How long a failure is kept, seconds.
const SERVFAIL_TTL: u32 = 5;

/// Sizes and times.
#[derive(Clone, Copy, Debug)]
pub struct CacheConfig {
    /// Longest time an answer is kept, seconds; higher TTLs are lowered.
    pub max_ttl: u32,
    /// Longest time a denial is kept, seconds.
    pub max_denial_ttl: u32,
    /// Shortest time either is kept, seconds.
    pub min_ttl: u32,
    /// Entries, answers and denials together.
    pub capacity: usize,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self { max_ttl: 30, max_denial_ttl: 30, min_ttl: 5, capacity: 9984 }
    }
}

/// An answer without what belongs to one exchange (id, question, OPT).
#[derive(Clone, Debug)]
pub struct Cached {
    /// Outcome.
    pub rcode: Rcode,
    /// RA of the server that gave it.
    pub recursion_available: bool,
    /// AD of the server that gave it.
    pub authentic_data: bool,
    /// Answer, authority, additional.
    pub sections: [Vec<Record>; 3],
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    question: Question,
    dnssec_ok: bool,
    checking_disabled: bool,
}

struct Entry {
    cached: Arc<Cached>,
    expires: Instant,
}

/// A bounded cache of answers.
pub struct Cache {
    config: CacheConfig,
    hasher: RandomState,
    shards: Box<[Mutex<HashMap<Key, Entry>>]>,
}

impl Cache {
    /// An empty cache.
    pub fn new(config: CacheConfig) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { config, hasher: RandomState::new(), shards }
    }

    /// The answer kept for a question, with what is left of its time on every record.
    pub fn get(
        &self,
        question: &Question,
        dnssec_ok: bool,
        checking_disabled: bool,
        now: Instant,
    ) -> Option<Cached> {
        let key = Key { question: question.clone(), dnssec_ok, checking_disabled };
        let (cached, left) = {
            let shard = self.shard(&key);
            let entry = shard.get(&key)?;
            (entry.cached.clone(), entry.expires.checked_duration_since(now)?)
        };
        let ttl = u32::try_from(left.as_secs()).unwrap_or(u32::MAX);
        let mut cached = Cached::clone(&cached);
        for record in cached.sections.iter_mut().flatten() {
            record.ttl = ttl;
            // Another asker may have spelled it in another case.
            if record.name == question.name {
                record.name = question.name.clone();
            }
        }
        Some(cached)
    }

    /// Lowers the TTLs of an answer to what the cache allows, and keeps it if it may be kept.
    pub fn put(&self, message: &mut Message, dnssec_ok: bool, checking_disabled: bool, now: Instant) {
        let Some(ttl) = self.lifetime(message) else { return };
        let Some(question) = message.question.clone() else { return };
        let sections = [&mut message.answers, &mut message.authority, &mut message.additional];
        let sections = sections.map(|section| {
            section.iter_mut().for_each(|record| record.ttl = record.ttl.min(ttl.cap));
            section.clone()
        });
        if !ttl.kept {
            return;
        }
        let cached = Arc::new(Cached {
            rcode: message.header.rcode,
            recursion_available: message.header.recursion_available,
            authentic_data: message.header.authentic_data,
            sections,
        });
        let key = Key { question, dnssec_ok, checking_disabled };
        let mut shard = self.shard(&key);
        let capacity = (self.config.capacity / SHARDS).max(1);
        if shard.len() >= capacity && !shard.contains_key(&key) {
            shard.retain(|_, entry| entry.expires > now);
            // The map's order is random, so whichever comes first is a random victim.
            if shard.len() >= capacity
                && let Some(victim) = shard.keys().next().cloned()
            {
                shard.remove(&victim);
            }
        }
        shard.insert(key, Entry { cached, expires: now + Duration::from_secs(ttl.seconds.into()) });
    }

    fn lifetime(&self, message: &Message) -> Option<Lifetime> {
        let CacheConfig { max_ttl, max_denial_ttl, min_ttl, .. } = self.config;
        let denial = message.header.rcode == Rcode::NXDOMAIN || message.answers.is_empty();
        let cap = if denial { max_denial_ttl } else { max_ttl };
        let records = [&message.answers, &message.authority, &message.additional];
        let lowest = records.into_iter().flatten().map(|record| record.ttl).min();
        let seconds = match message.header.rcode {
            Rcode::NOERROR | Rcode::NXDOMAIN => lowest.unwrap_or(min_ttl).max(min_ttl).min(cap),
            Rcode::SERVFAIL => SERVFAIL_TTL,
            _ => return None,
        };
        // A referral or an answer to something else is neither data nor a denial.
        let soa = message.authority.iter().any(|record| record.rtype() == Rtype::SOA);
        let referral = message.answers.is_empty() && !message.authority.is_empty() && !soa;
        Some(Lifetime { seconds, cap, kept: !message.header.truncated && !referral && seconds > 0 })
    }

    fn shard(&self, key: &Key) -> MutexGuard<'_, HashMap<Key, Entry>> {
        let index = self.hasher.hash_one(key) as usize % SHARDS;
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Entries held, expired ones included.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

struct Lifetime {
    seconds: u32,
    cap: u32,
    kept: bool,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wire::{Header, Rdata};
    use std::net::Ipv4Addr;

    fn message(name: &str, rcode: Rcode, ttls: &[u32]) -> Message {
        let name: crate::wire::Name = name.parse().unwrap();
        let record = |&ttl: &u32| Record::new(name.clone(), ttl, Rdata::A(Ipv4Addr::LOCALHOST));
        Message {
            header: Header::query(7).reply(rcode),
            question: Some(Question::new(name.clone(), Rtype::A)),
            answers: ttls.iter().map(record).collect(),
            authority: Vec::new(),
            additional: Vec::new(),
            edns: None,
        }
    }

    #[test]
    fn lifetimes() {
        let config = CacheConfig { max_ttl: 30, max_denial_ttl: 20, min_ttl: 5, capacity: 1000 };
        let start = Instant::now();
        // TTL served after 3 seconds, and the second at which the answer is gone.
        let check = |rcode, ttls: &[u32], truncated, expect: Option<(u32, u64)>| {
            let cache = Cache::new(config);
            let mut message = message("x.y", rcode, ttls);
            message.header.truncated = truncated;
            cache.put(&mut message, false, false, start);
            let question = message.question.unwrap();
            let at = |s| cache.get(&question, false, false, start + Duration::from_secs(s));
            let got = at(3).map(|cached| {
                let gone = (3..100).find(|&s| at(s).is_none()).unwrap();
                (cached.sections[0].first().map_or(0, |record| record.ttl), gone - 1)
            });
            assert_eq!(got, expect, "{rcode} {ttls:?}");
        };
        check(Rcode::NOERROR, &[100], false, Some((27, 30)));
        check(Rcode::NOERROR, &[20, 10], false, Some((7, 10)));
        check(Rcode::NOERROR, &[1], false, Some((2, 5)));
        check(Rcode::NOERROR, &[], false, Some((0, 5)));
        check(Rcode::SERVFAIL, &[], false, Some((0, 5)));
        check(Rcode::NXDOMAIN, &[], false, Some((0, 5)));
        check(Rcode::NOERROR, &[100], true, None);
        check(Rcode::REFUSED, &[], false, None);
    }

    #[test]
    fn keys_and_bounds() {
        let cache = Cache::new(CacheConfig { capacity: 128, ..CacheConfig::default() });
        let now = Instant::now();
        let mut first = message("a.b", Rcode::NOERROR, &[600]);
        cache.put(&mut first, false, false, now);
        assert_eq!(first.answers[0].ttl, 30, "the cap shows at once");
        let ask = |name: &str, dnssec_ok| {
            cache.get(&Question::new(name.parse().unwrap(), Rtype::A), dnssec_ok, false, now).is_some()
        };
        assert!(ask("A.b", false));
        assert!(!ask("a.b", true));
        for i in 0..1000 {
            cache.put(&mut message(&format!("n{i}.b"), Rcode::NOERROR, &[60]), false, false, now);
        }
        assert!(cache.len() <= 128, "{}", cache.len());
    }
}
