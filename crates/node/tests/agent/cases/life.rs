//! A Pod's life from its start to its end.

use std::time::{Duration, Instant};

use portway_node::LogOptions;
use serde_json::json;

use crate::echo::say;
use crate::world::{Outcome, World, address, condition, container, echo, is_ready, path, shell};

pub async fn pod_runs_is_reached_and_ends() -> Outcome {
    let world = World::new();
    // The first Pod waits for the node to be there.
    let node = format!("/api/v1/nodes/{}", world.name());
    world.until(&node, "the Node", |n| condition(n, "Ready") == "True").await?;
    let lease = format!("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{}", world.name());
    world.until(&lease, "the Lease", |l| l["spec"]["holderIdentity"] == world.name()).await?;

    let pod = world.create("web", json!({"containers": [echo(8080)]}));
    let begun = Instant::now();
    let ready = world.until(&pod, "readiness", is_ready).await?;
    eprintln!("a Pod was ready after {:?}", begun.elapsed());
    assert_eq!(ready["status"]["phase"], "Running");
    assert_eq!(ready["status"]["hostIP"], "192.0.2.11");
    assert_eq!(ready["status"]["podIP"], ready["status"]["podIPs"][0]["ip"]);
    for kind in ["PodReadyToStartContainers", "Initialized", "ContainersReady", "PodScheduled"] {
        assert_eq!(condition(&ready, kind), "True", "{kind}");
    }
    assert_eq!(container(&ready, 0)["restartCount"], 0);
    assert!(container(&ready, 0)["state"]["running"]["startedAt"].is_string());

    world.until_logged("web", "c", "listening").await?;
    let gateway = format!("10.244.{}.1", world.name().trim_start_matches('n'));
    assert_eq!(world.ask(address(&ready, 0), 8080)?, format!("{gateway} hello"));
    assert!(world.ask(address(&ready, 1), 8080)?.ends_with(" hello"));

    let names = portway_netns::Namespace::names()?;
    let name = names.iter().find(|n| n.starts_with("default-web-")).unwrap().clone();
    world.fake.delete(&pod, 30);
    let begun = Instant::now();
    world.until_gone(&pod).await?;
    assert!(begun.elapsed() < Duration::from_secs(10), "SIGTERM ended it: {:?}", begun.elapsed());
    let last = world.fake.states(&pod).pop().unwrap().1;
    assert_eq!(last["status"]["phase"], "Failed");
    assert_eq!(container(&last, 0)["state"]["terminated"]["exitCode"], 143);
    while portway_netns::Namespace::names()?.contains(&name) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let events = world.fake.list("/api/v1/namespaces/default/events/");
    let has =
        |reason: &str| events.iter().any(|e| e["reason"] == reason && e["involvedObject"]["name"] == "web");
    assert!(has("Started") && has("Killing"), "{events:?}");
    Ok(())
}

pub async fn environment_files_and_names() -> Outcome {
    let world = World::new();
    world.fake.put(
        "/api/v1/namespaces/default/services/my-db",
        json!({"metadata": {"name": "my-db", "namespace": "default"},
            "spec": {"clusterIP": "10.96.0.5", "ports": [{"port": 5432, "protocol": "TCP"}]}}),
    );
    world.fake.put(
        "/api/v1/namespaces/default/secrets/keys",
        json!({"metadata": {"name": "keys", "namespace": "default"}, "data": {"token": "czNjcmV0"}}),
    );
    let mut one = shell(
        "echo host=$(hostname) ip=$IP db=$MY_DB_SERVICE_HOST token=$TOKEN cwd=$(pwd) pid=$$$$; \
         cat /etc/resolv.conf; tail -n1 /etc/hosts; cat /etc/hostname; echo oops >&2; sleep 1000",
    );
    one["workingDir"] = "/tmp".into();
    one["env"] = json!([
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
    ]);
    let pod = world.create("one", json!({"containers": [one], "hostname": "box", "subdomain": "sub"}));
    let ready = world.until(&pod, "readiness", is_ready).await?;
    let log = world.until_logged("one", "c", "oops").await?;
    let ip = address(&ready, 0);
    let expect = format!(
        "host=box ip={ip} db=10.96.0.5 token=s3cret cwd=/tmp pid=2\n\
         search default.svc.cluster.local svc.cluster.local cluster.local"
    );
    assert!(log.starts_with(&expect), "{log}");
    for line in
        ["nameserver 10.96.0.10", "options ndots:5", "\tbox.sub.default.svc.cluster.local\tbox\n", "\nbox\n"]
    {
        assert!(log.contains(line), "{line} in {log}");
    }
    // The machine's own name is what it was.
    assert!(!rustix::system::uname().nodename().to_string_lossy().contains("box"));

    let missing = world.create(
        "missing",
        json!({"containers": [{"image": "busybox"}, {"image": "x", "command": ["/no/such/program"]},
            {"image": "x", "command": ["true"], "envFrom": [{"configMapRef": {"name": "later"}}]}]}),
    );
    let seen = world
        .until(&missing, "the three complaints", |p| {
            container(p, 0)["state"]["waiting"]["reason"] == "CreateContainerError"
                && container(p, 1)["lastState"]["terminated"]["reason"] == "StartError"
                && container(p, 2)["state"]["waiting"]["reason"] == "CreateContainerConfigError"
        })
        .await?;
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    assert!(text(&container(&seen, 0)["state"]["waiting"]["message"]).contains("no command"));
    assert!(text(&container(&seen, 1)["lastState"]["terminated"]["message"]).contains("No such file"));
    assert_eq!(container(&seen, 2)["state"]["waiting"]["message"], "configmap \"later\" not found");
    Ok(())
}

fn named(name: &str, script: &str) -> serde_json::Value {
    let mut container = shell(script);
    container["name"] = name.into();
    container
}

pub async fn restarts_and_exit_codes() -> Outcome {
    let world = World::new();
    let always = world.create("always", json!({"containers": [shell("echo run; exit 3")]}));
    let job = world.create("job", json!({"containers": [shell("echo done")], "restartPolicy": "Never"}));
    let fails =
        world.create("fails", json!({"containers": [shell("kill -9 $$$$")], "restartPolicy": "Never"}));
    let setup = world.create(
        "setup",
        json!({"initContainers": [named("i", "echo first > /tmp/portway-test-setup"), named("j", "exit 0")],
            "containers": [shell("cat /tmp/portway-test-setup; sleep 1000")]}),
    );

    let seen = world
        .until(&always, "a back-off", |p| container(p, 0)["state"]["waiting"]["reason"] == "CrashLoopBackOff")
        .await?;
    // The first restart is immediate, the second is held back.
    assert_eq!(container(&seen, 0)["restartCount"], 1);
    assert_eq!(container(&seen, 0)["lastState"]["terminated"]["exitCode"], 3);
    assert_eq!(seen["status"]["phase"], "Running");
    let message = container(&seen, 0)["state"]["waiting"]["message"].as_str().unwrap().to_owned();
    assert!(
        message.starts_with("back-off 10s restarting failed container=c pod=always_default("),
        "{message}"
    );
    let previous = LogOptions { previous: true, ..LogOptions::default() };
    assert_eq!(world.log("always", "c", previous).await?, "run\n");

    let seen = world.until(&job, "success", |p| p["status"]["phase"] == "Succeeded").await?;
    assert_eq!(container(&seen, 0)["state"]["terminated"]["reason"], "Completed");
    let follow = LogOptions { follow: true, ..LogOptions::default() };
    assert_eq!(world.log("job", "c", follow).await?, "done\n", "following what has ended ends");
    let seen = world.until(&fails, "failure", |p| p["status"]["phase"] == "Failed").await?;
    assert_eq!(container(&seen, 0)["state"]["terminated"]["exitCode"], 137);
    assert_eq!(container(&seen, 0)["state"]["terminated"]["signal"], 9);

    let seen = world.until(&setup, "readiness", is_ready).await?;
    assert_eq!(seen["status"]["initContainerStatuses"][1]["state"]["terminated"]["exitCode"], 0);
    world.until_logged("setup", "c", "first").await?;
    std::fs::remove_file("/tmp/portway-test-setup").ok();
    Ok(())
}

pub async fn readiness_follows_the_probe() -> Outcome {
    let world = World::new();
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("sick");
    let mut server = echo(8080);
    server["command"].as_array_mut().unwrap().push(file.to_str().unwrap().into());
    server["readinessProbe"] =
        json!({"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1});
    std::fs::write(&file, "")?;
    let pod = world.create("web", json!({"containers": [server]}));
    world.until(&pod, "the start", |p| container(p, 0)["started"] == true).await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let now = world.fake.get(&pod).unwrap();
    assert_eq!((condition(&now, "Ready"), condition(&now, "ContainersReady")), ("False", "False"));
    std::fs::remove_file(&file)?;
    world.until(&pod, "readiness", is_ready).await?;
    std::fs::write(&file, "")?;
    world.until(&pod, "unreadiness", |p| !is_ready(p)).await?;
    let events = world.fake.list("/api/v1/namespaces/default/events/");
    let unhealthy = events.iter().find(|e| e["reason"] == "Unhealthy").cloned().unwrap_or_default();
    assert_eq!(unhealthy["message"], "Readiness probe failed: HTTP probe failed with statuscode: 503");
    Ok(())
}

pub async fn pods_survive_their_agent() -> Outcome {
    let mut world = World::new();
    let pod = world.create("web", json!({"containers": [echo(8080)]}));
    let gone = world.create("gone", json!({"containers": [echo(8080)]}));
    let short =
        world.create("short", json!({"containers": [shell("sleep 0.5; exit 4")], "restartPolicy": "Never"}));
    let ready = world.until(&pod, "readiness", is_ready).await?;
    world.until(&gone, "readiness", is_ready).await?;
    world.until(&short, "readiness", is_ready).await?;
    world.until_logged("web", "c", "listening").await?;
    let at = std::net::SocketAddr::new(address(&ready, 0), 8080);
    let mut stream = world.host.namespace().tcp_connect(at, Duration::from_secs(5))?;
    assert!(say(&mut stream, "before")?.ends_with("before"));

    world.crash().await;
    assert!(say(&mut stream, "while")?.ends_with("while"), "no agent is needed");
    world.fake.delete(&gone, 0);
    tokio::time::sleep(Duration::from_millis(700)).await;
    world.start();

    let seen = world.until(&short, "the end that no agent saw", |p| p["status"]["phase"] == "Failed").await?;
    assert_eq!(container(&seen, 0)["state"]["terminated"]["exitCode"], 4);
    assert!(say(&mut stream, "after")?.ends_with("after"));
    let names =
        || portway_netns::Namespace::names().map(|n| n.iter().any(|n| n.starts_with("default-gone-")));
    while names()? {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let now = world.fake.get(&pod).unwrap();
    assert_eq!(container(&now, 0)["restartCount"], 0);
    assert_eq!(container(&now, 0)["containerID"], container(&ready, 0)["containerID"]);
    let never_unready =
        world.fake.states(&pod).iter().skip_while(|(_, p)| !is_ready(p)).all(|(_, p)| is_ready(p));
    assert!(never_unready, "readiness was kept");

    // A new Pod gets an address of its own, and the adopted one ends as any other.
    let other = world.create("other", json!({"containers": [echo(8080)]}));
    let other = world.until(&other, "readiness", is_ready).await?;
    assert_ne!(address(&other, 0), address(&ready, 0));
    world.fake.delete(&path("web"), 30);
    world.until_gone(&pod).await
}
