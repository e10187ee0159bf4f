//! An API server in memory on a loopback port, for trying clients: `serve ADDR:PORT KUBECONFIG [TOKEN]`.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use portway_apiserver::authn::StaticToken;
use portway_apiserver::pki::Pki;
use portway_apiserver::{ApiServer, Config, Identity};
use portway_store::memory::MemoryStore;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, kubeconfig, token @ ..] = arguments.as_slice() else {
        return Err("usage: serve ADDR:PORT KUBECONFIG [TOKEN]".into());
    };
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let tokens = token.iter().map(|token| StaticToken { token: token.clone(), identity: Identity::admin() });
    let config = Config { advertise: address, tokens: tokens.collect(), ..Config::default() };
    let pki = Pki::ephemeral(&config.subject_alt_names())?;
    pki.kubeconfig(&format!("https://{address}")).write(Path::new(kubeconfig))?;
    let server = ApiServer::open(config, Arc::new(MemoryStore::new())).await?;
    println!("serving on https://{address}");
    server.serve(listener, pki.server_config()?, std::future::pending()).await;
    Ok(())
}
