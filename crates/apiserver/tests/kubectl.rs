//! The server as stock kubectl sees it: over HTTPS on a loopback port, with the kubeconfig it writes.
//!
//! Needs a `kubectl` on PATH and fails without one.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portway_apiserver::pki::Pki;
use portway_apiserver::{ApiServer, Config};
use portway_store::memory::MemoryStore;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// A server, and a home directory for kubectl.
struct Cluster {
    home: tempfile::TempDir,
    _runtime: Runtime,
}

impl Cluster {
    fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let config = Config { advertise: address, ..Config::default() };
            let pki = Pki::ensure(&home.path().join("pki"), &config.subject_alt_names()).unwrap();
            pki.kubeconfig(&format!("https://{address}")).write(&home.path().join("config")).unwrap();
            let server = ApiServer::open(config, Arc::new(MemoryStore::new())).await.unwrap();
            let tls = pki.server_config().unwrap();
            tokio::spawn(server.serve(listener, tls, std::future::pending()));
        });
        Self { home, _runtime: runtime }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("kubectl");
        command
            .args(line.split_whitespace())
            .env("KUBECONFIG", self.home.path().join("config"))
            .env("HOME", self.home.path())
            .current_dir(self.home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn spawn(&self, command: &mut Command) -> Child {
        command.spawn().expect("kubectl must be on PATH for these tests")
    }

    fn output(&self, line: &str, input: &str) -> Output {
        let mut child = self.spawn(&mut self.command(line));
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// What kubectl prints; it must succeed.
    fn run(&self, line: &str) -> String {
        self.pipe(line, "")
    }

    /// The same, with something on its standard input.
    fn pipe(&self, line: &str, input: &str) -> String {
        let output = self.output(line, input);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "kubectl {line}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    /// What kubectl complains about; it must fail.
    fn fail(&self, line: &str, input: &str) -> String {
        let output = self.output(line, input);
        assert!(
            !output.status.success(),
            "kubectl {line} succeeded: {}",
            String::from_utf8_lossy(&output.stdout)
        );
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

/// Words of a line of output.
fn words(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split_whitespace().collect()).collect()
}

const MANIFEST: &str = "
apiVersion: v1
kind: Service
metadata:
  name: my-service
  labels:
    app: my-app
  annotations:
    description: the front door of my-app
spec:
  type: ClusterIP
  sessionAffinity: ClientIP
  ports:
  - port: 8080
    targetPort: 8080
    protocol: TCP
    name: http
  selector:
    app: my-app
";

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 1
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
      - name: main
        image: none
";

#[test]
fn apply_get_describe() {
    let cluster = Cluster::start();
    assert_eq!(cluster.pipe("apply -f -", MANIFEST), "service/my-service created\n");
    assert_eq!(cluster.pipe("apply -f -", MANIFEST), "service/my-service unchanged\n");
    let changed = MANIFEST.replace("8080", "9090");
    assert_eq!(cluster.pipe("apply -f -", &changed), "service/my-service configured\n");
    assert_eq!(cluster.run("get svc my-service -o jsonpath={.spec.ports[*].port}"), "9090");

    let wide = cluster.run("get svc -o wide");
    let rows = words(&wide);
    assert_eq!(rows[0], ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE", "SELECTOR"]);
    assert_eq!(rows[2][..2], ["my-service", "ClusterIP"]);
    assert_eq!((rows[2][4], rows[2][6]), ("9090/TCP", "app=my-app"));
    assert_eq!(words(&cluster.run("get svc -A -l app=my-app"))[1][..2], ["default", "my-service"]);
    let headless = cluster.run("get svc --field-selector spec.clusterIP=None -o name");
    assert_eq!(headless, "");
    assert_eq!(
        cluster.run("get svc --field-selector metadata.name=my-service -o name"),
        "service/my-service\n"
    );
    let json: serde_json::Value = serde_json::from_str(&cluster.run("get svc my-service -o json")).unwrap();
    assert_eq!(json["spec"]["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"], 10800);
    assert!(cluster.run("get svc my-service -o yaml").contains("\n  sessionAffinity: ClientIP\n"));
    let described = cluster.run("describe svc my-service");
    assert!(described.contains("Session Affinity:         ClientIP"), "{described}");
    assert_eq!(cluster.run("get ns -o name").lines().count(), 4);
    assert_eq!(cluster.run("get ipaddresses -o name").lines().count(), 2);
}

#[test]
fn server_side_apply() {
    let cluster = Cluster::start();
    let apply = "apply --server-side --field-manager=one -f -";
    assert_eq!(cluster.pipe(apply, MANIFEST), "service/my-service serverside-applied\n");
    let version = "get svc my-service -o jsonpath={.metadata.resourceVersion}";
    let before = cluster.run(version);
    cluster.pipe(apply, MANIFEST);
    assert_eq!(cluster.run(version), before);

    let other = MANIFEST.replace("sessionAffinity: ClientIP", "sessionAffinity: None");
    let two = "apply --server-side --field-manager=two -f -";
    let error = cluster.fail(two, &other);
    assert!(
        error.contains("Apply failed with 1 conflict: conflict with \"one\": .spec.sessionAffinity"),
        "{error}"
    );
    cluster.pipe(&format!("{two} --force-conflicts"), &other);
    let affinity = "get svc my-service -o jsonpath={.spec.sessionAffinity}";
    assert_eq!(cluster.run(affinity), "None");
    let less = MANIFEST.replace("    description: the front door of my-app\n", "");
    cluster.pipe(apply, &less.replace("sessionAffinity: ClientIP", "sessionAffinity: None"));
    cluster.pipe(two, &less.replace("sessionAffinity: ClientIP", "sessionAffinity: None"));
    assert_eq!(cluster.run("get svc my-service -o jsonpath={.metadata.annotations}"), "");

    // From client-side apply to server-side apply and back.
    assert_eq!(cluster.pipe("apply -f -", DEPLOYMENT), "deployment.apps/web created\n");
    let image = DEPLOYMENT.replace("image: none", "image: some");
    cluster.pipe("apply --server-side -f -", &image);
    cluster.pipe("apply -f -", &image);
    assert_eq!(cluster.pipe("apply -f -", &image), "deployment.apps/web unchanged\n");
    assert!(
        cluster.fail("apply --server-side -f -", &image.replace("replicas", "replicaz")).contains("replicaz")
    );
}

#[test]
fn change_and_delete() {
    let cluster = Cluster::start();
    cluster.pipe("apply -f -", MANIFEST);
    assert_eq!(cluster.run("label svc my-service tier=front"), "service/my-service labeled\n");
    assert_eq!(cluster.run("annotate svc my-service note=x"), "service/my-service annotated\n");
    for (kind, patch) in [
        ("merge", r#"{"spec":{"sessionAffinity":"None"}}"#),
        ("strategic", r#"{"spec":{"ports":[{"port":8080,"name":"web"}]}}"#),
        ("json", r#"[{"op":"add","path":"/metadata/labels/more","value":"1"}]"#),
    ] {
        let mut command = cluster.command("patch svc my-service --type");
        command.args([kind, "-p", patch]);
        let output = cluster.spawn(&mut command).wait_with_output().unwrap();
        assert!(output.status.success(), "{kind}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let json: serde_json::Value = serde_json::from_str(&cluster.run("get svc my-service -o json")).unwrap();
    assert_eq!(
        json["metadata"]["labels"],
        serde_json::json!({"app": "my-app", "more": "1", "tier": "front"})
    );
    assert_eq!(json["spec"]["ports"][0]["name"], "web");
    assert_eq!(json["spec"]["sessionAffinity"], "None");

    let editor = cluster.file("edit.sh", "#!/bin/sh\nsed -i 's/app: my-app/app: other/' \"$1\"\n");
    Command::new("chmod").args(["+x", &editor]).status().unwrap();
    let mut command = cluster.command("edit svc my-service");
    let output = cluster.spawn(command.env("EDITOR", &editor)).wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "service/my-service edited\n");
    assert_eq!(cluster.run("get svc my-service -o jsonpath={.spec.selector.app}"), "other");

    cluster.pipe("apply -f -", DEPLOYMENT);
    assert_eq!(cluster.run("scale deployment web --replicas=3"), "deployment.apps/web scaled\n");
    assert_eq!(cluster.run("get deployment web -o jsonpath={.spec.replicas}"), "3");
    assert_eq!(
        cluster.run("wait deployment/web --for=jsonpath={.spec.replicas}=3"),
        "deployment.apps/web condition met\n"
    );
    assert!(cluster.run("delete deployment web").starts_with("deployment.apps \"web\" deleted"));
    assert!(cluster.run("delete svc -l tier=front").starts_with("service \"my-service\" deleted"));
    assert!(cluster.fail("get svc my-service", "").contains("services \"my-service\" not found"));
}

/// These send protobuf bodies.
#[test]
fn create_subcommands() {
    let cluster = Cluster::start();
    assert_eq!(cluster.run("create namespace shop"), "namespace/shop created\n");
    assert_eq!(cluster.run("create service nodeport web -n shop --tcp=80:8080"), "service/web created\n");
    let ports =
        cluster.run("get svc web -n shop -o jsonpath={.spec.ports[0].targetPort},{.spec.ports[0].name}");
    assert_eq!(ports, "8080,80-8080");
    assert_eq!(cluster.run("create service clusterip quiet --clusterip=None"), "service/quiet created\n");
    assert_eq!(cluster.run("create configmap c --from-literal=a=b"), "configmap/c created\n");
    assert_eq!(cluster.run("get cm c -o jsonpath={.data.a}"), "b");
    assert_eq!(cluster.run("create secret generic s --from-literal=a=b"), "secret/s created\n");
    assert_eq!(cluster.run("get secret s -o jsonpath={.data.a}"), "Yg==");
    assert_eq!(cluster.run("create deployment d --image=none --replicas=2"), "deployment.apps/d created\n");
    assert_eq!(cluster.run("get deploy d -o jsonpath={.spec.replicas}"), "2");
    assert_eq!(cluster.run("create serviceaccount sa"), "serviceaccount/sa created\n");
    assert_eq!(
        cluster.run("create ingress i --rule=example.com/x=web:80"),
        "ingress.networking.k8s.io/i created\n"
    );
    assert_eq!(cluster.run("auth can-i create pods"), "yes\n");
    assert!(cluster.run("auth whoami").contains("kubernetes-admin"));
    assert_eq!(cluster.run("expose deployment d --port=80"), "service/d exposed\n");
    assert_eq!(cluster.run("run p --image=none"), "pod/p created\n");
    assert!(cluster.run("delete pod p --now").starts_with("pod \"p\" deleted"));
}

#[test]
fn watch() {
    let cluster = Cluster::start();
    let mut watcher = cluster.spawn(&mut cluster.command("get configmaps -w --output-watch-events"));
    // The watch has begun once it shows something that was made before it looked.
    std::thread::sleep(Duration::from_millis(500));
    cluster.run("create configmap c --from-literal=a=b");
    cluster.run("label configmap c x=y");
    cluster.run("delete configmap c");
    std::thread::sleep(Duration::from_millis(500));
    watcher.kill().unwrap();
    let output = watcher.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let events: Vec<&str> = text.lines().skip(1).filter_map(|l| l.split_whitespace().next()).collect();
    assert_eq!(events, ["ADDED", "MODIFIED", "DELETED"], "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn wait_for_deletion() {
    let cluster = Cluster::start();
    cluster.run("create configmap c");
    let waiter = cluster.spawn(&mut cluster.command("wait --for=delete configmap/c --timeout=20s"));
    std::thread::sleep(Duration::from_millis(300));
    cluster.run("delete configmap c");
    let began = Instant::now();
    let output = waiter.wait_with_output().unwrap();
    assert!(output.status.success() && began.elapsed() < Duration::from_secs(15), "{output:?}");
}

#[test]
fn errors_as_users_know_them() {
    let cluster = Cluster::start();
    let check = |manifest: &str, expect: &str| {
        let text = cluster.fail("create -f -", manifest);
        assert!(text.contains(expect), "{text}");
    };
    check(
        &MANIFEST.replace("port: 8080\n    targetPort: 8080", "port: 0").replace("my-service", "x"),
        "The Service \"x\" is invalid: \n* spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive\n* spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive",
    );
    check(&MANIFEST.replace("  selector:", "  zork: 1\n  selector:"), "unknown field \"spec.zork\"");
    check(&MANIFEST.replace("port: 8080", "port: none"), "cannot unmarshal string into Go struct field");
    cluster.pipe("create -f -", MANIFEST);
    check(
        MANIFEST,
        "Error from server (AlreadyExists): error when creating \"STDIN\": services \"my-service\" already exists",
    );
    let missing = cluster.fail("create configmap c -n nowhere", "");
    assert!(missing.contains("namespaces \"nowhere\" not found"), "{missing}");
}

#[test]
fn what_is_there() {
    let cluster = Cluster::start();
    let resources = cluster.run("api-resources");
    for line in [
        ["services", "svc", "v1", "true", "Service"],
        ["deployments", "deploy", "apps/v1", "true", "Deployment"],
        ["ipaddresses", "ip", "networking.k8s.io/v1", "false", "IPAddress"],
    ] {
        assert!(words(&resources).contains(&line.to_vec()), "{resources}");
    }
    assert!(cluster.run("api-versions").contains("discovery.k8s.io/v1\n"));
    let explained = cluster.run("explain service.spec.ports.targetPort");
    assert!(explained.contains("FIELD: targetPort <IntOrString>"), "{explained}");
    assert!(cluster.run("version").contains("Server Version: v1.36.0"));
    assert!(cluster.run("cluster-info").contains("is running at"));
    assert!(cluster.run("get --raw /readyz?verbose").ends_with("readyz check passed\n"));
    assert!(cluster.run("get --raw /metrics").contains("apiserver_request_total"));
    assert!(Path::new(&cluster.home.path().join("pki/ca.key")).exists());
}
