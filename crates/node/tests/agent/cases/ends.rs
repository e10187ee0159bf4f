//! How Pods end: hooks, grace, force, and what they leave behind (nothing).

use std::time::{Duration, Instant};

use serde_json::json;

use crate::world::{Outcome, World, container, echo, is_ready, shell};

/// Processes of the sandbox whose command line holds a text.
fn processes(text: &str) -> Vec<String> {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = all.filter_map(|e| std::fs::read(e.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(text)).collect()
}

async fn until_none(text: &str) -> Outcome {
    let begun = Instant::now();
    while !processes(text).is_empty() {
        if begun.elapsed() > crate::world::SOON {
            return Err(format!("still there: {:?}", processes(text)).into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

pub async fn grace_hooks_and_kills() -> Outcome {
    let world = World::new();
    let dir = tempfile::tempdir()?;
    let note = dir.path().join("note");
    let mut deaf = shell("trap '' TERM; echo deaf; while :; do sleep 0.1; done");
    deaf["lifecycle"] = json!({"preStop": {"exec": {"command": ["/bin/sh", "-c", format!("echo $HOOK > {}", note.display())]}}});
    deaf["env"] = json!([{"name": "HOOK", "value": "hooked"}]);
    let pod = world.create("deaf", json!({"containers": [deaf]}));
    world.until(&pod, "readiness", is_ready).await?;
    world.until_logged("deaf", "c", "deaf").await?;
    let begun = Instant::now();
    world.fake.delete(&pod, 1);
    world.until_gone(&pod).await?;
    assert!(begun.elapsed() >= Duration::from_millis(900), "it had its second: {:?}", begun.elapsed());
    assert_eq!(std::fs::read_to_string(&note)?, "hooked\n");
    let last = world.fake.states(&pod).pop().unwrap().1;
    assert_eq!(container(&last, 0)["state"]["terminated"]["exitCode"], 137);
    Ok(())
}

pub async fn nothing_of_a_pod_survives_it() -> Outcome {
    let world = World::new();
    let script = "setsid sleep 31415 & sleep 31415 & echo up; exec sleep 31415";
    let pod = world.create("busy", json!({"containers": [shell(script)]}));
    world.until_logged("busy", "c", "up").await?;
    assert!(!processes("sleep 31415").is_empty());
    world.fake.delete(&pod, 30);
    world.until_gone(&pod).await?;
    until_none("sleep 31415").await
}

pub async fn supervisors_that_are_killed() -> Outcome {
    let world = World::new();
    let pod = world.create("orphan", json!({"containers": [shell("echo $$$$; exec sleep 27182")]}));
    world.until(&pod, "readiness", is_ready).await?;
    world.until_logged("orphan", "c", "2").await?;
    let supervisor = std::fs::read_dir("/proc")?.flatten().find_map(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let status = std::fs::read_to_string(entry.path().join("status")).ok()?;
        let parent = status.lines().find_map(|l| l.strip_prefix("PPid:\t"))?.parse::<i32>().ok()?;
        line.starts_with(b"sleep\x0027182").then_some(parent)
    });
    let pid = rustix::process::Pid::from_raw(supervisor.ok_or("no supervisor")?).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL)?;
    let seen =
        world.until(&pod, "another run", |p| container(p, 0)["restartCount"] == 1 && is_ready(p)).await?;
    assert_eq!(container(&seen, 0)["lastState"]["terminated"]["exitCode"], 137);
    Ok(())
}

pub async fn forced_deletion() -> Outcome {
    let world = World::new();
    let pod = world.create("forced", json!({"containers": [shell("echo up; exec sleep 16180")]}));
    world.until_logged("forced", "c", "up").await?;
    world.fake.delete(&pod, 0);
    until_none("sleep 16180").await?;
    // The name is free for another Pod at once, even while the first one's remains are cleared away.
    let pod = world.create("forced", json!({"containers": [echo(8080)]}));
    world.until(&pod, "readiness", is_ready).await.map(drop)
}

/// Wherever in the start of a Pod its agent is struck, the next one brings it up, and only once.
pub async fn agents_that_crash_while_pods_start() -> Outcome {
    let mut world = World::new();
    for round in 0..12u64 {
        let name = format!("round{round}");
        let seconds = 14_142_000 + round;
        let pod = world.create(&name, json!({"containers": [shell(&format!("exec sleep {seconds}"))]}));
        tokio::time::sleep(Duration::from_millis(round * 3)).await;
        world.crash().await;
        world.start();
        let now = world.until(&pod, "readiness", is_ready).await?;
        assert_eq!(container(&now, 0)["restartCount"], 0, "round {round}");
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(processes(&format!("sleep {seconds}")).len(), 1, "round {round}");
    }
    Ok(())
}
