//! No value makes any rule of any kind panic: objects that are nearly right, objects with junk in random
//! places, and plain junk.

use portway_api::kinds::{self, service};
use portway_api::schema::{Schema, Type, schema};
use portway_base::IpFamily;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A small generator of its own, so that a failing seed is all there is to report.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % sides
    }

    fn pick<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.roll(texts.len())]
    }

    fn text(&mut self) -> &'static str {
        self.pick(&[
            "",
            "a",
            "None",
            "10.96.0.9",
            "fd00::1",
            "010.0.0.1",
            "10.0.0.0/8",
            "::ffff:1.2.3.4",
            "TCP",
            "ClusterIP",
            "NodePort",
            "LoadBalancer",
            "ExternalName",
            "ClientIP",
            "Local",
            "IPv4",
            "IPv6",
            "SingleStack",
            "PreferDualStack",
            "RequireDualStack",
            "Always",
            "25%",
            "é\u{7}\"",
            "a/b",
            "/x/../y",
            "-",
            "*.a.b",
            "2026-01-02T03:04:05Z",
            "99999999999999999999",
            "1.5Gi",
            "-1m",
            "1e400",
            "RollingUpdate",
            "In",
            "Exists",
            "a.b.c:latest",
            "Prefix",
            "kubernetes",
            "orphan",
        ])
    }

    fn junk(&mut self, depth: usize) -> Value {
        match self.roll(if depth > 3 { 5 } else { 7 }) {
            0 => Value::Null,
            1 => json!(self.roll(2) == 0),
            2 => json!([i64::MIN, -1, 0, 1, 80, 65_536, i64::MAX][self.roll(7)]),
            3 => json!([u64::MAX as f64, -0.5, 1e300][self.roll(3)]),
            4 => json!(self.text()),
            5 => (0..self.roll(4)).map(|_| self.junk(depth + 1)).collect(),
            _ => {
                let entries = (0..self.roll(4)).map(|_| (self.text().to_owned(), self.junk(depth + 1)));
                Value::Object(entries.collect::<Map<_, _>>())
            }
        }
    }

    fn value(&mut self, schema: &Schema, ty: &Type, depth: usize) -> Value {
        if self.roll(60) == 0 {
            return self.junk(0);
        }
        match ty {
            Type::Bool => json!(self.roll(2) == 0),
            Type::Int32 | Type::Int64 => json!([-1, 0, 1, 80, 30_000, 70_000][self.roll(6)]),
            Type::Double => json!(0.5),
            Type::IntOrString if self.roll(2) == 0 => json!(self.roll(200)),
            Type::List(inner) => (0..self.roll(4)).map(|_| self.value(schema, inner, depth)).collect(),
            Type::Map(inner) => {
                let entries =
                    (0..self.roll(3)).map(|_| (self.text().to_owned(), self.value(schema, inner, depth)));
                Value::Object(entries.collect::<Map<_, _>>())
            }
            Type::Message(name) if depth < 9 => self.object(schema, name, depth + 1),
            _ => json!(self.text()),
        }
    }

    fn object(&mut self, schema: &Schema, name: &str, depth: usize) -> Value {
        let Some(message) = schema.message(name) else { return Value::Null };
        let rarity = if message.fields.len() > 12 { 3 } else { 2 };
        let mut map = Map::new();
        for field in &message.fields {
            if field.required || field.name == "spec" || self.roll(rarity) == 0 {
                map.insert(field.name.clone(), self.value(schema, &field.ty, depth));
            }
        }
        Value::Object(map)
    }
}

/// Everything a server does with an object of this kind.
fn drive(kind: &kinds::Kind, new: Value, old: Value) {
    let families = [IpFamily::V4, IpFamily::V6];
    let mut created = new.clone();
    kind.default(&mut created);
    kind.prepare_create(&mut created);
    kind.strategy.named(&mut created);
    kind.strategy.validate(&created);
    kind.strategy.warnings(&created, None);
    kind.strategy.grace_period(&created, Some(-1));
    for (new, old) in
        [(new.clone(), old.clone()), (created.clone(), old.clone()), (old.clone(), created.clone())]
    {
        let mut updated = new.clone();
        kind.prepare_update(&mut updated, &old);
        kind.strategy.validate_update(&updated, &old);
        kind.strategy.warnings(&updated, Some(&old));
        let mut status = new;
        kind.prepare_status_update(&mut status, &old);
        kind.strategy.validate_status_update(&status, &old);
    }
    for object in [&new, &old, &created] {
        for column in kind.columns {
            (column.cell)(object, 1_700_000_000);
        }
        for selector in kind.field_selectors {
            (selector.value)(object);
        }
    }
    if kind.kind == "Service" {
        let mut count = 0;
        let mut next = || {
            count += 1;
            if count < 5 { Ok(30_000 + count) } else { Err(()) }
        };
        let (mut new, mut old) = (new, old);
        service::refresh(&mut old, &families);
        let _ = service::begin_create(&mut new, &families[..1]);
        let _ = service::begin_update(&mut new, &old, &families);
        let _ = service::assign_cluster_ips(&mut new, Some(&old), |_, wanted| wanted.ok_or(()));
        let _ = service::assign_node_ports(&mut new, Some(&old), |_, _| next());
        let _ = service::assign_health_check_port(&mut new, None, |_| next());
        service::released_cluster_ips(&new, &old);
        service::released_node_ports(&new, &old);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rules_are_total(seed in any::<u64>()) {
        let mut dice = Dice(seed);
        for kind in kinds::all() {
            let (new, old) = if dice.roll(8) == 0 {
                (dice.junk(0), dice.junk(0))
            } else {
                (dice.object(schema(), kind.schema, 0), dice.object(schema(), kind.schema, 0))
            };
            drive(kind, new, old);
        }
    }

    #[test]
    fn preparing_is_idempotent(seed in any::<u64>()) {
        let mut dice = Dice(seed);
        for kind in kinds::all() {
            let mut object = dice.object(schema(), kind.schema, 0);
            kind.default(&mut object);
            kind.prepare_create(&mut object);
            let once = object.clone();
            kind.default(&mut object);
            kind.prepare_create(&mut object);
            prop_assert_eq!(once, object, "{}", kind.kind);
        }
    }
}
