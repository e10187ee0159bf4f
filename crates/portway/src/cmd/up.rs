//! `portway up`: everything on this machine, in one process.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use ipnet::IpNet;

use crate::sandbox::{self, Note};
use crate::world::{self, Layout, Place};

/// Arguments of `portway up`.
#[derive(clap::Args)]
pub struct Args {
    /// Run in private namespaces: needs no root, leaves nothing behind
    #[arg(long)]
    pub sandbox: bool,
    #[command(flatten)]
    pub world: World,
}

/// What the world is to be like; shared by `up` and `sandbox`.
#[derive(clap::Args, Clone)]
pub struct World {
    /// Nodes to run (more than one only in a sandbox)
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=50))]
    pub nodes: u8,
    /// Name of the sandbox
    #[arg(long, default_value = "default")]
    pub name: String,
    /// Where to keep state [default: /var/lib/portway, in a sandbox a private tmpfs]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Address and port of the API server; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:6443", value_name = "ADDR:PORT")]
    pub listen: SocketAddr,
    /// Where to write the administrator's kubeconfig [default: in the data directory]
    #[arg(long, value_name = "FILE")]
    pub write_kubeconfig: Option<PathBuf>,
    /// Ranges of ClusterIPs, one a family
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "10.96.0.0/16,fd00:10:96::/112",
        value_name = "CIDR[,CIDR]"
    )]
    pub service_cluster_ip_range: Vec<IpNet>,
    /// Ports that NodePorts come from
    #[arg(long, value_parser = port_range, default_value = "30000-32767", value_name = "A-B")]
    pub service_node_port_range: RangeInclusive<u16>,
    /// Ranges of Pod addresses, one a family; each node gets a /24 or /64 of them
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "10.244.0.0/16,fd00:10:244::/48",
        value_name = "CIDR[,CIDR]"
    )]
    pub cluster_cidr: Vec<IpNet>,
    /// Domain of cluster DNS
    #[arg(long, default_value = "cluster.local", value_name = "DOMAIN")]
    pub cluster_domain: String,
    /// DNS servers for other names [default: those of /etc/resolv.conf]
    #[arg(long, value_delimiter = ',', value_name = "ADDR")]
    pub forward: Option<Vec<IpAddr>>,
    /// This machine's node name [default: its host name; in a sandbox node-1, node-2, ...]
    #[arg(long, value_name = "NAME")]
    pub node_name: Option<String>,
}

/// What the flags default to.
impl Default for World {
    fn default() -> Self {
        #[derive(clap::Parser)]
        struct Flags {
            #[command(flatten)]
            world: World,
        }
        <Flags as clap::Parser>::parse_from(["portway"]).world
    }
}

/// `30000-32767`, kube-apiserver's notation.
pub fn port_range(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (low, high) = text.split_once('-').ok_or("two ports with a '-' between them are needed")?;
    let port =
        |text: &str| text.parse::<u16>().map_err(|_| format!("{text:?} is not a port between 1 and 65535"));
    let (low, high) = (port(low)?, port(high)?);
    if low == 0 || low > high {
        return Err(format!("{low} to {high} is not a range of ports"));
    }
    Ok(low..=high)
}

/// Where state is kept unless the user says otherwise.
pub fn state_dir(given: Option<&Path>, sandboxed: bool) -> PathBuf {
    match given {
        Some(dir) => dir.to_owned(),
        None if sandboxed => PathBuf::from("/run/portway"),
        None => PathBuf::from("/var/lib/portway"),
    }
}

/// Runs until SIGINT or SIGTERM.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (place, layout) = prepare(&args)?;
    world::runtime()?.block_on(async {
        let world = world::World::start(place, layout).await?;
        tracing::info!(kubeconfig = %world.kubeconfig.display(), "ready; try: kubectl --kubeconfig {} get services -A", world.kubeconfig.display());
        world::until_asked_to_stop().await?;
        world.stop().await;
        Ok(ExitCode::SUCCESS)
    })
}

/// Everything that has to happen while the process has one thread: the listener of the machine itself, then the
/// private namespaces.
pub fn prepare(args: &Args) -> anyhow::Result<(Place, Layout)> {
    let world = &args.world;
    if args.world.nodes > 1 && !args.sandbox {
        bail!("--nodes {} needs --sandbox: a machine is one node", world.nodes);
    }
    world::check_ranges("--service-cluster-ip-range", &world.service_cluster_ip_range)?;
    world::check_ranges("--cluster-cidr", &world.cluster_cidr)?;
    let listener =
        TcpListener::bind(world.listen).with_context(|| format!("cannot listen on {}", world.listen))?;
    let address = listener.local_addr().context("the listener has no address")?;
    let data_dir = state_dir(world.data_dir.as_deref(), args.sandbox);
    let mut kubeconfig = world.write_kubeconfig.clone();
    let place = if args.sandbox {
        let directory = sandbox::directory(&world.name)?;
        if let Some(note) = Note::read(&directory) {
            bail!(
                "sandbox {:?} is running already (pid {}): choose another --name or stop it",
                world.name,
                note.pid
            );
        }
        kubeconfig.get_or_insert_with(|| directory.join("kubeconfig"));
        portway_netns::sandbox::enter()?;
        let pid = portway_netns::sandbox::contain()?;
        Place::Sandbox { directory, pid }
    } else {
        Place::Machine
    };
    let layout = Layout {
        nodes: world.nodes,
        node_name: world.node_name.clone(),
        api: vec![(listener, address)],
        kubeconfig: kubeconfig.unwrap_or_else(|| data_dir.join("admin.kubeconfig")),
        data_dir,
        service_cidrs: world.service_cluster_ip_range.clone(),
        node_ports: world.service_node_port_range.clone(),
        pod_cidrs: world.cluster_cidr.clone(),
        cluster_domain: world.cluster_domain.clone(),
        forward: world.forward.clone(),
    };
    Ok((place, layout))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_ranges() {
        assert_eq!(port_range("30000-32767"), Ok(30000..=32767));
        assert_eq!(port_range("80-80"), Ok(80..=80));
        for bad in ["", "1", "0-5", "9-1", "a-b", "1-65536"] {
            assert!(port_range(bad).is_err(), "{bad}");
        }
    }
}
