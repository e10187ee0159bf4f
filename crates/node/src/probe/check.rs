//! One check: a command in the container, an HTTP GET, a TCP connection, a question to a gRPC health service.
//!
//! Connections are made from inside the Pod's network namespace, to the Pod's address.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use portway_api::types::meta::IntOrString;
use portway_api::types::pod::{ContainerPort, ExecAction, GrpcAction, HttpGetAction, Probe, TcpSocketAction};
use portway_netns::Namespace;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use tokio::net::{TcpSocket, TcpStream};

use super::{grpc, http};
use crate::run;

/// The container a check is about.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Where connections start.
    pub namespace: Namespace,
    /// The Pod's first address.
    pub address: IpAddr,
    /// Ports that may be meant by name.
    pub ports: Vec<ContainerPort>,
    /// Directory of the run.
    pub dir: PathBuf,
}

/// What to do: the forms probes and hooks have in common. At most one is set.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Handler {
    pub exec: Option<ExecAction>,
    pub http_get: Option<HttpGetAction>,
    pub tcp_socket: Option<TcpSocketAction>,
    pub grpc: Option<GrpcAction>,
    /// Hooks only.
    pub sleep: Option<Sleep>,
}

/// A hook that only waits.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Sleep {
    pub seconds: u64,
}

impl From<&Probe> for Handler {
    fn from(probe: &Probe) -> Self {
        Self {
            exec: probe.exec.clone(),
            http_get: probe.http_get.clone(),
            tcp_socket: probe.tcp_socket.clone(),
            grpc: probe.grpc.clone(),
            sleep: None,
        }
    }
}

impl Handler {
    /// Does it. The caller bounds the time.
    pub async fn check(&self, target: &Target) -> Result<(), String> {
        if let Some(exec) = &self.exec {
            let answer = run::exec(&target.dir, &exec.command).await.map_err(|e| e.to_string())?;
            return if answer.code == 0 { Ok(()) } else { Err(answer.output) };
        }
        if let Some(get) = &self.http_get {
            return http::get(target, get).await;
        }
        if let Some(tcp) = &self.tcp_socket {
            let at = target.at(&tcp.host, &tcp.port)?;
            return target.connect(at).await.map(drop).map_err(|e| format!("dial tcp {at}: {e}"));
        }
        if let Some(grpc) = &self.grpc {
            return grpc::check(target, grpc).await;
        }
        if let Some(sleep) = &self.sleep {
            tokio::time::sleep(std::time::Duration::from_secs(sleep.seconds)).await;
        }
        Ok(())
    }
}

impl Target {
    /// The address a host (empty: the Pod's) and a port (number or name) stand for.
    pub fn at(&self, host: &str, port: &IntOrString) -> Result<SocketAddr, String> {
        let address = if host.is_empty() {
            self.address
        } else {
            host.parse().map_err(|_| format!("host {host:?} is not an IP address"))?
        };
        let number = match port {
            IntOrString::Int(number) => *number,
            IntOrString::String(name) => match self.ports.iter().find(|p| p.name == *name) {
                Some(port) => port.container_port,
                None => name.parse().map_err(|_| format!("the container has no port named {name:?}"))?,
            },
        };
        let number = u16::try_from(number).ok().filter(|n| *n > 0);
        Ok(SocketAddr::new(address, number.ok_or_else(|| format!("invalid port {port:?}"))?))
    }

    /// Connects from inside the Pod's namespace: where a socket is made is where it stays.
    pub async fn connect(&self, at: SocketAddr) -> io::Result<TcpStream> {
        let family = if at.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let made =
            self.namespace.run(|| rustix::net::socket_with(family, SocketType::STREAM, flags, None))??;
        TcpSocket::from_std_stream(std::net::TcpStream::from(made)).connect(at).await
    }
}
