//! `portway demo`: a three-node cluster in a private sandbox, and a guided tour of what Services do in it.
//!
//! Every step acts through the same doors users have (kubectl, names, addresses) and checks what it sees.

mod manifest;
mod scene;
mod steps;
mod tour;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cmd::up;
use crate::world;
use scene::Scene;
use tour::Tour;

/// Arguments of `portway demo`.
#[derive(clap::Args)]
pub struct Args {
    /// Leave the sandbox running after the tour, until Ctrl-C
    #[arg(long)]
    keep: bool,
}

/// Runs the tour; exit code 1 if any check failed.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let world_args = up::World {
        nodes: 3,
        name: format!("demo-{}", std::process::id()),
        listen: ([127, 0, 0, 1], 0).into(),
        ..up::World::default()
    };
    let name = world_args.name.clone();
    let (place, layout) = up::prepare(&up::Args { sandbox: true, world: world_args })?;
    let state_dir = layout.data_dir.clone();
    let held = world::runtime()?.block_on(async {
        let mut tour = Tour::begin();
        tour.step("A cluster of three nodes and a client outside of it, in a private sandbox");
        tour.did("portway sandbox --nodes 3");
        let world = world::World::start(place, layout).await?;
        let scene = Scene {
            client: world.client("demo"),
            kubeconfig: world.kubeconfig.clone(),
            state_dir,
            kubectl: find("kubectl"),
        };
        steps::all(&mut tour, &scene).await;
        let held = tour.end();
        if args.keep {
            crate::cmd::say(format_args!(
                "The sandbox goes on. Step in with: portway sandbox exec --name {name} client -- portway probe http://balanced\nkubectl works from here: KUBECONFIG={}\nCtrl-C ends it.",
                world.kubeconfig.display()
            ));
            world::until_asked_to_stop().await?;
        }
        world.stop().await;
        anyhow::Ok(held)
    })?;
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Creates the objects of the example manifests.
pub async fn create_examples(client: &portway_client::Client) -> anyhow::Result<()> {
    for (_, text) in steps::MANIFESTS {
        manifest::create(client, text).await?;
    }
    Ok(())
}

/// A program on PATH.
fn find(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|dir| dir.join(program)).find(|path| path.is_file())
}
