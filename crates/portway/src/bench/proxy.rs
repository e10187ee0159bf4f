//! What the node proxy costs as the cluster grows: everything loaded, everything adopted again, one endpoint replaced.

use std::time::Duration;

use super::Figure;

/// Services in the clusters compared.
const SIZES: [(u32, [&str; 3]); 2] = [
    (
        1_000,
        [
            "1,000 Services: load into the kernel",
            "1,000 Services: adopt after a restart",
            "1,000 Services: replace one endpoint, slice to kernel",
        ],
    ),
    (
        10_000,
        [
            "10,000 Services: load into the kernel",
            "10,000 Services: adopt after a restart",
            "10,000 Services: replace one endpoint, slice to kernel",
        ],
    ),
];

/// Measures in a sandbox, which the process must be in already.
pub fn measure(runs: u32) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let mut replaced = Vec::new();
    for (services, names) in SIZES {
        let mut samples = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..runs {
            let measured = portway_proxy::bench::measure(services, 300)?;
            samples[0].push(millis(measured.load));
            samples[1].push(millis(measured.audit));
            samples[2].push(millis(measured.replace) * 1e3);
        }
        replaced.push(samples[2].clone());
        for ((name, unit), values) in names.into_iter().zip(["ms", "ms", "us"]).zip(samples) {
            figures.extend(Figure::of(name, unit, values));
        }
    }
    if let [few, many] = replaced.as_slice() {
        let ratios = few.iter().zip(many).map(|(few, many)| many / few).collect();
        figures.extend(Figure::of("one replace, 10,000 against 1,000 Services", "x", ratios));
    }
    Ok(figures)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
