//! Environments as texts.
#![allow(clippy::unwrap_used)]

use portway_api::types::pod::{Container, Pod};
use portway_api::types::service::Service;
use serde_json::{Value, json};

use super::*;

fn pod(spec: Value) -> Pod {
    let meta = json!({"name": "web-1", "namespace": "shop", "uid": "u-1", "labels": {"app": "web"},
        "annotations": {"note": "hello"}});
    serde_json::from_value(json!({"metadata": meta, "spec": spec})).unwrap()
}

fn service(namespace: &str, name: &str, address: &str, ports: Value) -> Service {
    serde_json::from_value(json!({"metadata": {"name": name, "namespace": namespace},
        "spec": {"clusterIP": address, "ports": ports}}))
    .unwrap()
}

fn own() -> Own {
    Own {
        path: "/bin".into(),
        hostname: "web-1".into(),
        pod_ips: vec!["10.244.1.2".parse().unwrap(), "fd00::2".parse().unwrap()],
        host_ips: vec!["192.0.2.11".parse().unwrap()],
    }
}

fn sources() -> Sources {
    let map =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Sources {
        config_maps: [("conf".to_owned(), map(&[("colour", "blue"), ("size", "9")]))].into(),
        secrets: [("keys".to_owned(), map(&[("token", "s3cret")]))].into(),
    }
}

/// The variables a container gets beyond those every container has, as `NAME=value` lines.
fn made(container: Value, services: &[Service]) -> Result<(Vec<String>, String), Missing> {
    let container: Container = serde_json::from_value(container).unwrap();
    let made = invocation(&pod(json!({})), &container, &own(), &sources(), services)?;
    let common = ["PATH", "HOME", "HOSTNAME"];
    let env: Vec<String> = made
        .env
        .iter()
        .filter(|(k, _)| !common.contains(&k.as_str()))
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    Ok((made.argv, env.join(" ")))
}

#[test]
fn dollars() {
    let check = |text: &str, expect: &str| {
        let lookup = |name: &str| (name == "A").then(|| "x".to_owned());
        assert_eq!(expand(text, lookup), expect, "{text}");
    };
    check("plain", "plain");
    check("$(A)-$(A)", "x-x");
    check("$(B)", "$(B)");
    check("$$(A)", "$(A)");
    check("$$$(A)", "$x");
    check("$", "$");
    check("$A ${A} $(A", "$A ${A} $(A");
    check("$()é$(A)", "$()éx");
}

#[test]
fn values() {
    let check = |env: Value, expect: &str| {
        assert_eq!(made(json!({"env": env}), &[]).unwrap().1, expect, "{env}");
    };
    check(
        json!([{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)2$(C)"}, {"name": "C", "value": "3"}]),
        "A=1 B=12$(C) C=3",
    );
    check(json!([{"name": "A", "value": "1"}, {"name": "A", "value": "$(A)2"}]), "A=12");
    for (path, expect) in [
        ("metadata.name", "web-1"),
        ("metadata.namespace", "shop"),
        ("metadata.uid", "u-1"),
        ("metadata.labels['app']", "web"),
        ("metadata.annotations['note']", "hello"),
        ("metadata.labels['none']", ""),
        ("status.podIP", "10.244.1.2"),
        ("status.podIPs", "10.244.1.2,fd00::2"),
        ("status.hostIP", "192.0.2.11"),
    ] {
        check(json!([{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": path}}}]), &format!("A={expect}"));
    }
    check(
        json!([{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "conf", "key": "colour"}}}]),
        "A=blue",
    );
    check(
        json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}}]),
        "A=s3cret",
    );
    check(
        json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "no", "key": "x", "optional": true}}}]),
        "",
    );
}

#[test]
fn what_is_missing_is_named() {
    let check = |container: Value, expect: &str| {
        assert_eq!(made(container, &[]).unwrap_err().to_string(), expect);
    };
    let one = |from: Value| json!({"env": [{"name": "A", "valueFrom": from}]});
    check(one(json!({"configMapKeyRef": {"name": "no", "key": "x"}})), "configmap \"no\" not found");
    check(
        one(json!({"configMapKeyRef": {"name": "conf", "key": "x"}})),
        "couldn't find key x in ConfigMap shop/conf",
    );
    check(
        one(json!({"secretKeyRef": {"name": "keys", "key": "x"}})),
        "couldn't find key x in Secret shop/keys",
    );
    check(one(json!({"fieldRef": {"fieldPath": "spec.magic"}})), "unsupported field path \"spec.magic\"");
    check(json!({"envFrom": [{"secretRef": {"name": "no"}}]}), "secret \"no\" not found");
}

#[test]
fn whole_objects() {
    let container = json!({
        "envFrom": [{"prefix": "P_", "configMapRef": {"name": "conf"}}, {"secretRef": {"name": "no", "optional": true}}],
        "env": [{"name": "P_size", "value": "$(P_size)0"}],
        "command": ["run", "$(P_colour)"], "args": ["$(token)"],
    });
    let (argv, env) = made(container.clone(), &[]).unwrap();
    assert_eq!(argv, ["run", "blue", "$(token)"]);
    assert_eq!(env, "P_colour=blue P_size=90");
    let wanted = wanted(&serde_json::from_value(container).unwrap());
    assert_eq!((wanted.config_maps, wanted.secrets), (vec!["conf".to_owned()], vec!["no".to_owned()]));
}

#[test]
fn services() {
    let ports = json!([{"name": "http", "port": 80, "protocol": "TCP"}, {"name": "dns-u", "port": 53, "protocol": "UDP"}]);
    let all = [
        service("shop", "my-db", "10.96.0.5", ports),
        service("other", "far", "10.96.0.6", json!([{"port": 1}])),
        service("shop", "headless", "None", json!([{"port": 1}])),
        service("shop", "six", "fd00::5", json!([{"port": 7}])),
        service(
            "default",
            "kubernetes",
            "10.96.0.1",
            json!([{"name": "https", "port": 443, "protocol": "TCP"}]),
        ),
    ];
    let (_, env) = made(json!({"env": [{"name": "DB", "value": "$(MY_DB_SERVICE_HOST)"}]}), &all).unwrap();
    let expect = "DB=10.96.0.5 \
        KUBERNETES_PORT=tcp://10.96.0.1:443 KUBERNETES_PORT_443_TCP=tcp://10.96.0.1:443 \
        KUBERNETES_PORT_443_TCP_ADDR=10.96.0.1 KUBERNETES_PORT_443_TCP_PORT=443 KUBERNETES_PORT_443_TCP_PROTO=tcp \
        KUBERNETES_SERVICE_HOST=10.96.0.1 KUBERNETES_SERVICE_PORT=443 KUBERNETES_SERVICE_PORT_HTTPS=443 \
        MY_DB_PORT=tcp://10.96.0.5:80 \
        MY_DB_PORT_53_UDP=udp://10.96.0.5:53 MY_DB_PORT_53_UDP_ADDR=10.96.0.5 MY_DB_PORT_53_UDP_PORT=53 \
        MY_DB_PORT_53_UDP_PROTO=udp \
        MY_DB_PORT_80_TCP=tcp://10.96.0.5:80 MY_DB_PORT_80_TCP_ADDR=10.96.0.5 MY_DB_PORT_80_TCP_PORT=80 \
        MY_DB_PORT_80_TCP_PROTO=tcp \
        MY_DB_SERVICE_HOST=10.96.0.5 MY_DB_SERVICE_PORT=80 MY_DB_SERVICE_PORT_DNS_U=53 MY_DB_SERVICE_PORT_HTTP=80 \
        SIX_PORT=tcp://[fd00::5]:7 SIX_PORT_7_TCP=tcp://[fd00::5]:7 SIX_PORT_7_TCP_ADDR=fd00::5 \
        SIX_PORT_7_TCP_PORT=7 SIX_PORT_7_TCP_PROTO=tcp SIX_SERVICE_HOST=fd00::5 SIX_SERVICE_PORT=7";
    assert_eq!(env, expect);

    let quiet = pod(json!({"enableServiceLinks": false}));
    let names: Vec<String> = service_variables(&quiet, &all).into_iter().map(|(k, _)| k).collect();
    assert!(names.iter().all(|name| name.starts_with("KUBERNETES_")) && !names.is_empty(), "{names:?}");
}
