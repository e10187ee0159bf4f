//! Probes of all kinds, networks and logs.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use portway_netns::Namespace;
use portway_node::LogOptions;
use serde_json::json;

use crate::world::{Outcome, World, address, container, echo, is_ready, shell};

pub async fn liveness_restarts() -> Outcome {
    let world = World::new();
    let dir = tempfile::tempdir()?;
    let alive = dir.path().join("alive");
    std::fs::write(&alive, "")?;
    let mut one = shell("sleep 1000");
    one["livenessProbe"] = json!({"exec": {"command": ["/bin/sh", "-c", format!("echo gone; test -e {}", alive.display())]},
        "periodSeconds": 1, "failureThreshold": 1});
    let pod = world.create("one", json!({"containers": [one]}));
    world.until(&pod, "readiness", is_ready).await?;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(container(&world.fake.get(&pod).unwrap(), 0)["restartCount"], 0);
    std::fs::remove_file(&alive)?;
    let seen = world.until(&pod, "a restart", |p| container(p, 0)["restartCount"] == 1).await?;
    assert_eq!(container(&seen, 0)["lastState"]["terminated"]["exitCode"], 143);
    let events = world.fake.list("/api/v1/namespaces/default/events/");
    let messages: Vec<_> = events.iter().filter_map(|e| e["message"].as_str()).collect();
    assert!(messages.contains(&"Liveness probe failed: gone\n"), "{messages:?}");
    assert!(messages.contains(&"Container c failed liveness probe, will be restarted"), "{messages:?}");
    Ok(())
}

pub async fn startup_holds_the_others_back() -> Outcome {
    let world = World::new();
    let dir = tempfile::tempdir()?;
    let started = dir.path().join("started");
    let mut one = shell("sleep 1000");
    one["startupProbe"] =
        json!({"exec": {"command": ["test", "-e", started]}, "periodSeconds": 1, "failureThreshold": 30});
    // Would fail at once, if it were asked.
    one["livenessProbe"] =
        json!({"exec": {"command": ["test", "-e", started]}, "periodSeconds": 1, "failureThreshold": 1});
    let pod = world.create("slow", json!({"containers": [one]}));
    world.until(&pod, "the run", |p| container(p, 0)["state"]["running"].is_object()).await?;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let now = world.fake.get(&pod).unwrap();
    assert_eq!(
        (&container(&now, 0)["started"], &container(&now, 0)["restartCount"]),
        (&json!(false), &json!(0))
    );
    assert!(!is_ready(&now));
    std::fs::write(&started, "")?;
    let now = world.until(&pod, "readiness", is_ready).await?;
    assert_eq!(container(&now, 0)["started"], true);
    Ok(())
}

pub async fn tcp_and_named_ports() -> Outcome {
    let world = World::new();
    let mut good = echo(8080);
    good["ports"] = json!([{"name": "web", "containerPort": 8080}]);
    good["readinessProbe"] = json!({"tcpSocket": {"port": "web"}, "periodSeconds": 1});
    let mut bad = shell("sleep 1000");
    bad["readinessProbe"] = json!({"grpc": {"port": 9}, "periodSeconds": 1});
    let pod = world.create("good", json!({"containers": [good]}));
    let deaf = world.create("bad", json!({"containers": [bad]}));
    world.until(&pod, "readiness", is_ready).await?;
    world.until(&deaf, "the run", |p| container(p, 0)["started"] == true).await?;
    assert!(!is_ready(&world.fake.get(&deaf).unwrap()));
    Ok(())
}

pub async fn host_network_and_neighbours() -> Outcome {
    let world = World::new();
    let host = world.create("host", json!({"containers": [echo(7080)], "hostNetwork": true}));
    let one = world.create("one", json!({"containers": [echo(8080)]}));
    let two = world.create("two", json!({"containers": [echo(8080)]}));
    let host = world.until(&host, "readiness", is_ready).await?;
    let (one, two) =
        (world.until(&one, "readiness", is_ready).await?, world.until(&two, "readiness", is_ready).await?);
    assert_eq!(host["status"]["podIP"], "192.0.2.11");
    for (pod, name) in [("host", 7080), ("one", 8080), ("two", 8080)] {
        world.until_logged(pod, "c", &format!("listening on {name}")).await?;
    }
    let names = Namespace::names()?;
    let uid = one["metadata"]["uid"].as_str().unwrap();
    let name = names.iter().find(|n| n.ends_with(&format!("default-one-{}", &uid[..8]))).unwrap();
    let inside = Namespace::open(name)?;
    for family in 0..2 {
        // Next door, itself, and the node: the Pod's own address is what each sees.
        for at in [address(&two, family), address(&one, family)] {
            let answer = crate::echo::ask(&inside, SocketAddr::new(at, 8080))?;
            assert_eq!(answer, format!("{} hello", address(&one, family)));
        }
    }
    let answer = crate::echo::ask(&inside, SocketAddr::new("192.0.2.11".parse()?, 7080))?;
    assert_eq!(answer, format!("{} hello", address(&one, 0)));
    Ok(())
}

pub async fn logs_follow() -> Outcome {
    let world = World::new();
    let script = "for i in 1 2 3; do echo line $i; sleep 0.2; done";
    let pod = world.create("talk", json!({"containers": [shell(script)], "restartPolicy": "Never"}));
    world.until_logged("talk", "c", "line 1").await?;
    let follow = LogOptions { follow: true, timestamps: true, ..LogOptions::default() };
    let mut stream = world.agent.logs("default", "talk", None, follow).await?;
    let mut all = Vec::new();
    while let Some(bytes) = tokio::time::timeout(crate::world::SOON, stream.next()).await? {
        all.extend_from_slice(&bytes);
    }
    let text = String::from_utf8(all)?;
    let lines: Vec<&str> = text.lines().filter_map(|l| l.split_once(' ').map(|(_, text)| text)).collect();
    assert_eq!(lines, ["line 1", "line 2", "line 3"]);
    world.until(&pod, "success", |p| p["status"]["phase"] == "Succeeded").await?;
    for (pod, container, expect) in [
        ("nobody", None, "pod \"nobody\" not found"),
        ("talk", Some("x"), "container x is not valid for pod talk"),
    ] {
        let error = world.agent.logs("default", pod, container, LogOptions::default()).await.err();
        assert_eq!(error.map(|e| e.to_string()).unwrap_or_default(), expect);
    }
    let previous = LogOptions { previous: true, ..LogOptions::default() };
    let error = world.log("talk", "c", previous).await.unwrap_err();
    assert_eq!(error.to_string(), "previous terminated container \"c\" in pod \"talk\" not found");
    Ok(())
}
