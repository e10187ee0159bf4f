//! `portway answer NAME`: what cluster DNS would say, from objects alone.

use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;

use anyhow::Context;
use portway_api::Object;
use portway_dns::wire::{Name, Question, Rtype};
use portway_dns::zone::{Answer, Change, Origin, Zone, ZoneConfig, answer};

use super::objects::{Objects, Source};
use super::say;

/// Arguments of `portway answer`.
#[derive(clap::Args)]
pub struct Args {
    /// The whole name: `web.default.svc.cluster.local`
    name: Name,
    /// Record type: A, AAAA, SRV, PTR, CNAME, TXT, ...
    #[arg(default_value = "A")]
    kind: Rtype,
    /// Domain of cluster DNS
    #[arg(long, default_value = "cluster.local", value_name = "DOMAIN")]
    cluster_domain: String,
    #[command(flatten)]
    source: Source,
}

/// Prints the records; exit code 3 when there are none.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let zone = zone(&args.source.read()?, &args.cluster_domain)?;
    let origin = Origin { client: IpAddr::V4(Ipv4Addr::LOCALHOST), local: None };
    let question = Question::new(args.name.clone(), args.kind);
    let (records, note) = match answer(&zone, &question, &origin) {
        Answer::Reply(rcode, found) => {
            ([found.answers, found.authority, found.additional], rcode.to_string())
        }
        Answer::Follow { records, target } => {
            ([records, Vec::new(), Vec::new()], format!("goes on at {target}"))
        }
        Answer::Elsewhere => {
            ([Vec::new(), Vec::new(), Vec::new()], "not of the cluster: other servers are asked".to_owned())
        }
    };
    say(format_args!("; {note}"));
    for record in records.iter().flatten() {
        say(record);
    }
    Ok(if records[0].is_empty() { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

/// The zone of these objects. Namespaces that the input names but does not hold count as existing.
fn zone(objects: &Objects, domain: &str) -> anyhow::Result<Zone> {
    let config = ZoneConfig::cluster(domain)
        .map_err(|e| anyhow::anyhow!("{e}"))
        .with_context(|| format!("--cluster-domain {domain}"))?;
    let mut zone = Zone::new(config);
    for service in &objects.services {
        let namespace = portway_base::ObjectKey::cluster(&service.metadata.namespace);
        zone.apply(&namespace, Change::Namespace(Some(&Default::default())), 0);
        zone.apply(&service.key(), Change::Service(Some(service)), 0);
    }
    for slice in &objects.slices {
        zone.apply(&slice.key(), Change::Slice(Some(slice)), 0);
    }
    for namespace in &objects.namespaces {
        zone.apply(&namespace.key(), Change::Namespace(Some(namespace)), 0);
    }
    zone.set_synced();
    Ok(zone)
}
