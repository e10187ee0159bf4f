//! A kernel in memory: executes operations as strictly as the real one, all or nothing.

use std::collections::BTreeSet;

use portway_base::IpFamily;
use thiserror::Error;

use crate::{Chain, ChainKind, Data, Expr, Field, Hook, Image, Op, Patch, Set, Table, Target, Value};

/// nf_tables without the packets.
#[derive(Clone, Debug, Default)]
pub struct Fake {
    /// What it holds.
    pub image: Image,
    /// Moves on with every commit.
    pub generation: u32,
}

/// Why a patch was refused; nothing of it was done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("operation {index} ({op}): {reason}")]
pub struct Refused {
    /// Which operation.
    pub index: usize,
    /// Its text.
    pub op: String,
    /// Why.
    pub reason: &'static str,
}

impl Fake {
    /// Executes the whole patch, or nothing of it.
    ///
    /// # Errors
    /// The first operation that the kernel would refuse.
    pub fn commit(&mut self, patch: &Patch) -> Result<(), Refused> {
        let mut image = self.image.clone();
        for (index, (family, op)) in patch.ops.iter().enumerate() {
            run(image.table_mut(*family), *family, op).map_err(|reason| Refused {
                index,
                op: op.to_string(),
                reason,
            })?;
        }
        let last = patch.ops.len().saturating_sub(1);
        for family in IpFamily::ALL {
            if let Some(table) = image.table(family) {
                consistent(table).map_err(|reason| Refused { index: last, op: "commit".into(), reason })?;
            }
        }
        self.image = image;
        self.generation += 1;
        Ok(())
    }
}

fn run(slot: &mut Option<Table>, family: IpFamily, op: &Op) -> Result<(), &'static str> {
    if matches!(op, Op::AddTable) {
        slot.get_or_insert_default();
        return Ok(());
    }
    let table = slot.as_mut().ok_or("no such table")?;
    match op {
        Op::AddTable => {}
        Op::DeleteTable => *slot = None,
        Op::AddSet { name, spec } => {
            if table.sets.contains_key(name) {
                return Err("set exists");
            }
            if name.len() >= 256 {
                return Err("name too long");
            }
            if Field::total(&spec.key) > 64 {
                return Err("key too long");
            }
            table.sets.insert(name.clone(), Set { spec: spec.clone(), elements: Default::default() });
        }
        Op::DeleteSet { name } => {
            if table.chains.values().any(|chain| sets_of(chain).any(|set| set == name)) {
                return Err("set is in use");
            }
            table.sets.remove(name).ok_or("no such set")?;
        }
        Op::AddChain { name, base } => {
            if table.chains.contains_key(name) {
                return Err("chain exists");
            }
            if base.is_some_and(|b| b.kind == ChainKind::Nat && b.hook == Hook::Forward) {
                return Err("no nat there");
            }
            if name.len() >= 128 {
                return Err("name too long");
            }
            table.chains.insert(name.clone(), Chain { base: *base, rules: Vec::new() });
        }
        Op::FlushChain { name } => {
            table.chains.get_mut(name).ok_or("no such chain")?.rules.clear();
        }
        Op::DeleteChain { name } => {
            let chain = table.chains.get(name).ok_or("no such chain")?;
            if !chain.rules.is_empty() || chains_of(table).any(|used| used == name) {
                return Err("chain is in use");
            }
            table.chains.remove(name);
        }
        Op::AddRule { chain, rule } => {
            for expr in &rule.exprs {
                check_expr(table, family, expr)?;
            }
            table.chains.get_mut(chain).ok_or("no such chain")?.rules.push(rule.clone());
        }
        Op::AddElements { set, elements, .. } => {
            let names: BTreeSet<&String> = table.chains.keys().collect();
            let set = table.sets.get_mut(set).ok_or("no such set")?;
            for (key, entry) in elements {
                check_element(set, key, entry)?;
                if let Some(Value::Verdict(verdict)) = &entry.value
                    && let Some(chain) = verdict.chain()
                    && !names.contains(&chain.to_owned())
                {
                    return Err("no such chain");
                }
                match set.elements.get(key) {
                    // The kernel does not mind the same element again, and keeps the old comment.
                    Some(had) if had.value == entry.value => {}
                    Some(_) => return Err("element exists"),
                    None => drop(set.elements.insert(key.clone(), entry.clone())),
                }
            }
        }
        Op::DeleteElements { set, elements, .. } => {
            let set = table.sets.get_mut(set).ok_or("no such set")?;
            for key in elements {
                set.elements.remove(key).ok_or("no such element")?;
            }
        }
    }
    Ok(())
}

fn check_element(set: &Set, key: &crate::Key, entry: &crate::Entry) -> Result<(), &'static str> {
    let len = Field::total(&set.spec.key);
    if key.start.len() != len || key.end.as_ref().is_some_and(|end| end.len() != len) {
        return Err("key of the wrong length");
    }
    if key.end.is_some() != set.spec.interval {
        return Err("range in a plain set, or the other way round");
    }
    match (&set.spec.data, &entry.value) {
        (None, None) | (Some(Data::Verdict), Some(Value::Verdict(_))) => Ok(()),
        (Some(Data::Fields(fields)), Some(Value::Data(data))) if data.len() == Field::total(fields) => Ok(()),
        _ => Err("value of the wrong type"),
    }
}

fn check_expr(table: &Table, family: IpFamily, expr: &Expr) -> Result<(), &'static str> {
    match expr {
        Expr::Lookup { set, from, to, .. } => {
            let set = table.sets.get(set).ok_or("no such set")?;
            fits(from.0, Field::total(&set.spec.key))?;
            match (&set.spec.data, to) {
                (_, Target::None) | (Some(Data::Verdict), Target::Verdict) => Ok(()),
                (Some(Data::Fields(fields)), Target::Data(to)) => fits(to.0, Field::total(fields)),
                _ => Err("value of the wrong type"),
            }
        }
        Expr::Dynset { set, key, .. } => {
            let set = table.sets.get(set).ok_or("no such set")?;
            fits(key.0, Field::total(&set.spec.key))?;
            set.spec.dynamic.map(drop).ok_or("set is not dynamic")
        }
        Expr::Dnat { family: of, .. } if *of != family => Err("address of the wrong family"),
        Expr::Random { modulus: 0, .. } => Err("modulus is 0"),
        Expr::Verdict(verdict) => match verdict.chain() {
            Some(chain) if !table.chains.contains_key(chain) => Err("no such chain"),
            _ => Ok(()),
        },
        Expr::Other(_) => Err("unknown expression"),
        _ => Ok(()),
    }
}

fn fits(word: u8, len: usize) -> Result<(), &'static str> {
    if usize::from(word) * 4 + len <= 64 { Ok(()) } else { Err("register out of range") }
}

/// No loops, and translation only where it is possible.
fn consistent(table: &Table) -> Result<(), &'static str> {
    for chain in table.chains.values() {
        if let Some(base) = chain.base {
            follow(table, chain, base.kind == ChainKind::Nat, base.hook, 0)?;
        }
    }
    Ok(())
}

fn follow(table: &Table, chain: &Chain, nat: bool, hook: Hook, depth: usize) -> Result<(), &'static str> {
    if depth >= 16 {
        return Err("too many levels");
    }
    for expr in chain.rules.iter().flat_map(|rule| &rule.exprs) {
        match expr {
            Expr::Dnat { .. } if !nat || !matches!(hook, Hook::Prerouting | Hook::Output) => {
                return Err("no dnat there");
            }
            Expr::Masquerade if !nat || hook != Hook::Postrouting => return Err("no masquerade there"),
            Expr::Reject { .. } if !matches!(hook, Hook::Input | Hook::Forward | Hook::Output) => {
                return Err("no reject there");
            }
            _ => {}
        }
        for name in targets(table, expr) {
            let next = table.chains.get(name).ok_or("no such chain")?;
            follow(table, next, nat, hook, depth + 1)?;
        }
    }
    Ok(())
}

/// Chains an expression may lead to.
fn targets<'t>(table: &'t Table, expr: &'t Expr) -> Vec<&'t str> {
    match expr {
        Expr::Verdict(verdict) => verdict.chain().into_iter().collect(),
        Expr::Lookup { set, to: Target::Verdict, .. } => {
            table.sets.get(set).into_iter().flat_map(verdicts_of).collect()
        }
        _ => Vec::new(),
    }
}

fn verdicts_of(set: &Set) -> impl Iterator<Item = &str> {
    set.elements.values().filter_map(|entry| match &entry.value {
        Some(Value::Verdict(verdict)) => verdict.chain(),
        _ => None,
    })
}

fn chains_of(table: &Table) -> impl Iterator<Item = &str> {
    let rules = table.chains.values().flat_map(|chain| &chain.rules).flat_map(|rule| &rule.exprs);
    let direct = rules.filter_map(|expr| match expr {
        Expr::Verdict(verdict) => verdict.chain(),
        _ => None,
    });
    direct.chain(table.sets.values().flat_map(verdicts_of))
}

fn sets_of(chain: &Chain) -> impl Iterator<Item = &str> {
    chain.rules.iter().flat_map(|rule| &rule.exprs).filter_map(|expr| match expr {
        Expr::Lookup { set, .. } | Expr::Dynset { set, .. } => Some(set.as_str()),
        _ => None,
    })
}
