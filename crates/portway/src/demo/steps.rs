//! The steps of the tour, in order. A step that cannot be carried out is a failed step; the tour goes on.

mod discovery;
mod lifecycle;
mod traffic;

pub use discovery::MANIFESTS;

use super::scene::Scene;
use super::tour::Tour;

macro_rules! steps {
    ($tour:ident, $scene:ident: $($step:path),* $(,)?) => {$(
        if let Err(error) = $step($tour, $scene).await {
            $tour.failed(&error);
        }
    )*};
}

/// All of them.
pub async fn all(tour: &mut Tour, scene: &Scene) {
    steps!(tour, scene:
        discovery::nodes,
        discovery::manifests,
        discovery::names,
        traffic::balanced,
        traffic::node_port,
        traffic::affinity,
        traffic::headless,
        traffic::external_name,
        lifecycle::killed,
        lifecycle::readiness,
    );
}
