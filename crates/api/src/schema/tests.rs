//! The built-in tables read, and say what the API says; the reader refuses everything else.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

const CORE: &str = "io.k8s.api.core.v1";

fn builtin(name: &str, field: &str) -> &'static Field {
    let message = schema().message(name).unwrap_or_else(|| panic!("no {name}"));
    message.field(field).unwrap_or_else(|| panic!("no {name}.{field}"))
}

#[test]
fn builtin_tables_parse() {
    let schema = Schema::parse(TABLES).unwrap_or_else(|error| panic!("{error}"));
    assert!(schema.messages.len() > 280, "{}", schema.messages.len());
}

#[test]
fn keys_of_list_maps_are_fields_of_their_elements() {
    for message in schema().messages.values() {
        for field in &message.fields {
            let keys = match &field.topology {
                Topology::ListMap(keys) => keys.clone(),
                _ => Vec::new(),
            };
            let merge = field.patch_merge_key.iter().filter(|key| !key.is_empty()).cloned();
            for key in keys.into_iter().chain(merge) {
                let place = format!("{}.{}", message.name, field.name);
                let Type::List(element) = &field.ty else { panic!("{place} has keys but is no list") };
                let Type::Message(element) = &**element else { panic!("{place} lists no messages") };
                builtin(element, &key);
            }
        }
    }
}

#[test]
fn facts_of_well_known_fields() {
    let ports = builtin("io.k8s.api.core.v1.ServiceSpec", "ports");
    assert_eq!(ports.number, 1);
    assert_eq!(ports.ty, Type::List(Box::new(Type::Message(format!("{CORE}.ServicePort")))));
    assert_eq!(ports.topology, Topology::ListMap(vec!["port".into(), "protocol".into()]));
    assert_eq!(ports.patch_merge_key.as_deref(), Some("port"));

    let volumes = builtin("io.k8s.api.core.v1.PodSpec", "volumes");
    assert!(volumes.retain_keys);
    assert_eq!(volumes.patch_merge_key.as_deref(), Some("name"));

    let secret = builtin("io.k8s.api.core.v1.Volume", "secret");
    assert_eq!((secret.wrapper, secret.number), (2, 6));

    let finalizers = builtin("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", "finalizers");
    assert_eq!(finalizers.topology, Topology::Set);
    assert_eq!(finalizers.patch_merge_key.as_deref(), Some(""));

    assert!(builtin("io.k8s.api.core.v1.ServicePort", "port").required);
    assert!(schema().message("io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector").unwrap().atomic);
    assert_eq!(builtin("io.k8s.api.core.v1.ServiceList", "items").number, 2);
    assert_eq!(builtin("io.k8s.api.core.v1.DaemonEndpoint", "Port").ty, Type::Int32);
    assert_eq!(builtin("io.k8s.api.coordination.v1.LeaseSpec", "renewTime").ty, Type::MicroTime);
    let extra = builtin("io.k8s.api.authentication.v1.UserInfo", "extra");
    assert_eq!(extra.ty, Type::Map(Box::new(Type::List(Box::new(Type::String)))));
}

#[test]
fn what_does_not_read_is_named() {
    let check = |text: &str, expect: &str| match Schema::parse(&[("t", text)]) {
        Ok(_) => panic!("read: {text}"),
        Err(error) => assert_eq!(error.to_string(), expect),
    };
    check("Name\n", "t:1: a message before the package line");
    check("package p\n  1 a string\n", "t:2: a field outside a message");
    check("package p\nN\n  1 a strin\n", "t:3: unknown type \"strin\"");
    check("package p\nN\n  x a string\n", "t:3: not a field number: \"x\"");
    check("package p\nN\n  1 a\n", "t:3: a field needs a number, a name and a type: \"1 a\"");
    check("package p\nN\n  1 a string mandatory\n", "t:3: unknown flag \"mandatory\"");
    check("package p\nN\n  1 a string\n  1 b string\n", "t:4: number 1 of b is taken");
    check("package p\nN\n  1 a string\n  2 a string\n", "t:4: field a stands twice");
    check("package p\nN\nN\n", "t:3: p.N stands twice");
    check("package p\nN\n  1 a x.Y\n", "t:3: x is not declared by a use line");
    check("package p\nN\n  1 a M\n", "references:0: p.N.a: no message p.M");
    check("package p\nN\n  1 a [][][][][]string\n", "t:3: lists and maps nested too deep");
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC*") {
        let _ = Schema::parse(&[("t", &text)]);
    }

    #[test]
    fn damaged_tables_never_panic(at in 0usize..4000, junk in "[ -~\n]{0,8}") {
        let (_, table) = TABLES[2];
        let mut text = table.to_owned();
        text.insert_str(at.min(table.len()), &junk);
        let _ = Schema::parse(&[TABLES[0], TABLES[1], ("t", &text)]);
    }
}

#[test]
fn normal_form_is_what_upstream_writes() {
    let check = |name: &str, input: serde_json::Value, expect: serde_json::Value| {
        let mut value = input;
        schema().normalize(&mut value, name);
        assert_eq!(value, expect);
        schema().normalize(&mut value, name);
        assert_eq!(value, expect, "not idempotent");
    };
    use serde_json::json;
    check(
        "io.k8s.api.core.v1.Service",
        json!({"kind": "Service", "spec": {"clusterIP": "", "publishNotReadyAddresses": false, "selector": {},
            "allocateLoadBalancerNodePorts": false, "ports": [{"port": 80, "name": ""}], "externalIPs": []}}),
        json!({"kind": "Service", "metadata": {}, "spec": {"allocateLoadBalancerNodePorts": false,
            "ports": [{"port": 80, "targetPort": 0}]}, "status": {"loadBalancer": {}}}),
    );
    check(
        "io.k8s.api.discovery.v1.EndpointSlice",
        json!({"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"], "hostname": ""}], "ports": []}),
        json!({"metadata": {}, "addressType": "IPv4", "ports": null,
            "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {}, "hostname": ""}]}),
    );
    check(
        "io.k8s.api.coordination.v1.LeaseSpec",
        json!({"renewTime": "2026-01-02T05:04:05+02:00"}),
        json!({"renewTime": "2026-01-02T03:04:05.000000Z"}),
    );
    check(
        "io.k8s.api.apps.v1.DeploymentSpec",
        json!({"replicas": 0}),
        json!({"replicas": 0, "selector": null, "strategy": {},
            "template": {"metadata": {}, "spec": {"containers": null}}}),
    );
}
