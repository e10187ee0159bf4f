//! `portway dns`: cluster DNS alone, against any API server.

use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::process::ExitCode;

use anyhow::Context;
use portway_dns::forward::ForwardConfig;
use portway_dns::{DnsConfig, DnsServer, Listeners};

use super::connection::Connection;
use crate::world;

/// Arguments of `portway dns`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Address and port to serve UDP and TCP on (repeatable)
    #[arg(long, default_value = "0.0.0.0:53", value_name = "ADDR:PORT")]
    listen: Vec<SocketAddr>,
    /// Domain of the cluster
    #[arg(long, default_value = "cluster.local", value_name = "DOMAIN")]
    cluster_domain: String,
    /// DNS servers for other names [default: those of /etc/resolv.conf]
    #[arg(long, value_delimiter = ',', value_name = "ADDR")]
    forward: Option<Vec<IpAddr>>,
}

/// Serves until SIGINT or SIGTERM.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut listeners = Listeners::default();
    for address in &args.listen {
        let what = || format!("cannot serve DNS on {address}");
        listeners.udp.push(UdpSocket::bind(address).with_context(what)?);
        listeners.tcp.push(TcpListener::bind(address).with_context(what)?);
    }
    let mut config = DnsConfig::cluster(&args.cluster_domain)
        .map_err(|error| anyhow::anyhow!("--cluster-domain {}: {error}", args.cluster_domain))?;
    config.client = Some(args.connection.client("portway-dns")?);
    if let Some(servers) = &args.forward {
        config.forward =
            Some(ForwardConfig::new(servers.iter().map(|ip| SocketAddr::new(*ip, 53)).collect()));
    }
    tracing::info!(listen = ?args.listen, domain = args.cluster_domain, "cluster DNS runs");
    world::runtime()?.block_on(async {
        DnsServer::new(config, listeners).run(world::asked_to_stop()).await?;
        Ok(ExitCode::SUCCESS)
    })
}
