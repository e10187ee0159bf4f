//! The demo is a test: every claim it makes is checked, and its exit code says whether all held.

use std::process::Command;

use crate::machine::PORTWAY;

/// `portway demo` ends with success. It enters a sandbox of its own, inside of this one.
pub fn the_tour_holds() -> Result<(), String> {
    let output =
        Command::new(PORTWAY).args(["--log-level", "warn", "demo"]).output().map_err(|e| e.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}

/// Usage errors end with code 2 and name the flag; others with 1.
pub fn bad_usage_names_the_flag() -> Result<(), String> {
    let check = |arguments: &[&str], code: i32, says: &str| {
        let output = Command::new(PORTWAY).args(arguments).output().map_err(|e| e.to_string())?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.code() == Some(code) && text.contains(says) {
            return Ok(());
        }
        Err(format!("{arguments:?}: {:?}, {text}", output.status.code()))
    };
    check(&["up", "--nodes", "3"], 1, "--nodes 3 needs --sandbox")?;
    check(&["up", "--service-cluster-ip-range", "10.0.0.0/8,11.0.0.0/8"], 1, "--service-cluster-ip-range")?;
    check(&["up", "--service-node-port-range", "5-1"], 2, "--service-node-port-range")?;
    check(&["up", "--listen", "nowhere"], 2, "--listen")?;
    check(&["probe", "ftp://x"], 2, "ftp")?;
    check(&["sandbox", "exec", "--name", "absent", "x", "--", "true"], 1, "absent")
}
