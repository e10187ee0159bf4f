//! `portway apiserver`: the API server alone, for clusters whose other parts run elsewhere.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use ipnet::IpNet;
use portway_apiserver::pki::Pki;
use portway_apiserver::{ApiServer, Config};
use portway_store::Store;
use portway_store::embedded::EmbeddedStore;
use portway_store::memory::MemoryStore;
use tokio::sync::watch;

use crate::world;

/// Arguments of `portway apiserver`.
#[derive(clap::Args)]
pub struct Args {
    /// Address and port to serve HTTPS on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:6443", value_name = "ADDR:PORT")]
    listen: SocketAddr,
    /// Where to keep store and certificates; without it everything is in memory
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Ranges of ClusterIPs, one a family
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "10.96.0.0/16,fd00:10:96::/112",
        value_name = "CIDR[,CIDR]"
    )]
    service_cluster_ip_range: Vec<IpNet>,
    /// Ports that NodePorts come from
    #[arg(long, value_parser = super::up::port_range, default_value = "30000-32767", value_name = "A-B")]
    service_node_port_range: RangeInclusive<u16>,
    /// Where to write the administrator's kubeconfig
    #[arg(long, value_name = "FILE")]
    write_kubeconfig: Option<PathBuf>,
    /// Address that others reach this server at [default: that of --listen]
    #[arg(long, value_name = "ADDR")]
    advertise_address: Option<std::net::IpAddr>,
}

/// Serves until SIGINT or SIGTERM.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    world::check_ranges("--service-cluster-ip-range", &args.service_cluster_ip_range)?;
    world::runtime()?.block_on(serve(args))
}

async fn serve(args: Args) -> anyhow::Result<ExitCode> {
    let listener = tokio::net::TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    let address = listener.local_addr()?;
    let advertise = SocketAddr::new(args.advertise_address.unwrap_or(address.ip()), address.port());
    let pki_dir = args.data_dir.as_ref().map(|dir| dir.join("pki"));
    let config = Config {
        service_cidrs: args.service_cluster_ip_range,
        node_port_range: args.service_node_port_range,
        advertise,
        data_dir: pki_dir.clone(),
        ..Config::default()
    };
    let names = config.subject_alt_names();
    let pki = match &pki_dir {
        Some(dir) => Pki::ensure(dir, &names)?,
        None => Pki::ephemeral(&names)?,
    };
    let store: Arc<dyn Store> = match &args.data_dir {
        Some(dir) => Arc::new(
            EmbeddedStore::open(&dir.join("store"))
                .with_context(|| format!("cannot open the store in {}", dir.display()))?,
        ),
        None => Arc::new(MemoryStore::new()),
    };
    let server = ApiServer::open(config, store).await.context("cannot open the API server")?;
    if let Some(path) = &args.write_kubeconfig {
        world::write_secret(path, &pki.kubeconfig(&format!("https://{address}")).to_string())?;
    }
    let (stop, stopping) = watch::channel(false);
    let serving = tokio::spawn(server.serve(listener, pki.server_config()?, world::stopped(stopping)));
    tracing::info!(%address, "API server listens");
    world::until_asked_to_stop().await?;
    stop.send_replace(true);
    serving.await?;
    Ok(ExitCode::SUCCESS)
}
