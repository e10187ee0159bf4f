//! Clients come back to the endpoint they had.

use std::collections::BTreeSet;
use std::time::Duration;

use libtest_mimic::Trial;
use serde_json::json;

use crate::world::*;
use crate::{Outcome, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("clients_come_back", clients_come_back),
        trial("clients_move_when_they_must", clients_move_when_they_must),
        trial("memory_ends", memory_ends),
    ]
}

fn sticky(seconds: u32) -> serde_json::Value {
    json!({
        "sessionAffinity": "ClientIP",
        "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": seconds}},
    })
}

fn clients_come_back() -> Outcome {
    let world = World::new();
    for n in 1..=6 {
        let name = format!("web{n}");
        world.service(&name, spec(n, sticky(60)));
        world.endpoints(&name, &["b", "c", "d"]);
    }
    for family in [0, 1] {
        let mut seen = BTreeSet::new();
        for n in 1..=6 {
            for (from, _) in [(world.pod("a"), ()), (world.node(1), ())] {
                let to = cluster_ip(n, family);
                assert_eq!(count(from, 40, || tcp(to)).len(), 1);
                assert_eq!(count(from, 40, || udp(to)).len(), 1);
                seen.insert(from.run(|| tcp(to))??.name);
            }
        }
        // Twelve memories that all name one of three: one in 177147.
        assert!(seen.len() > 1, "{seen:?}");
    }
    Ok(())
}

fn clients_move_when_they_must() -> Outcome {
    let world = World::new();
    world.service("web", spec(1, sticky(60)));
    world.endpoints("web", &["b", "c"]);
    let to = cluster_ip(1, 0);
    let had = world.pod("a").run(|| tcp(to))??.name;
    let other = if had == "b" { "c" } else { "b" };
    world.endpoints("web", &[other, "d"]);
    let now = count(world.pod("a"), 20, || tcp(to));
    assert_eq!(now.len(), 1);
    assert!(!now.contains_key(&had));
    // Newcomers move nobody.
    world.endpoints("web", &["b", "c", "d"]);
    assert_eq!(
        count(world.pod("a"), 20, || tcp(to)).keys().collect::<Vec<_>>(),
        now.keys().collect::<Vec<_>>()
    );
    // Without affinity all are used again.
    world.service("web", spec(1, json!({})));
    assert_eq!(count(world.pod("a"), 60, || tcp(to)).len(), 3);
    Ok(())
}

fn memory_ends() -> Outcome {
    let world = World::new();
    world.service("web", spec(1, sticky(1)));
    world.endpoints("web", &["b", "c", "d"]);
    let to = cluster_ip(1, 0);
    let mut seen = BTreeSet::new();
    // Six independent choices that all fall on one of three: one in 243; three rounds of that.
    for _ in 0..18 {
        seen.insert(world.pod("a").run(|| tcp(to))??.name);
        if seen.len() > 1 {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(1300));
    }
    panic!("{seen:?} for ever");
}
