//! Bad input changes nothing; many writers at once get what they may and no more.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::lab::{Lab, config_map, service};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const SERVICES: &str = "/api/v1/namespaces/default/services";
const MEDIA: [&str; 8] = [
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
    "text/plain",
];
const LINES: [&str; 9] = [
    "POST /api/v1/namespaces/default/services",
    "PUT /api/v1/namespaces/default/services/kubernetes",
    "PATCH /api/v1/namespaces/default/services/kubernetes",
    "PATCH /api/v1/namespaces/default/services/kubernetes/status",
    "POST /api/v1/namespaces/default/pods",
    "PUT /apis/apps/v1/namespaces/default/deployments/d/scale",
    "POST /api/v1/namespaces/default/pods/p/binding",
    "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    "PUT /api/v1/namespaces/default/finalize",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Garbage in any form is refused with a Status, and the store is as it was.
    #[test]
    fn garbage_changes_nothing(
        bodies in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..80),
            "[\\[{\":,}\\]a-z0-9 -]{0,60}".prop_map(String::into_bytes),
            "k8s\\x00\\PC{0,40}".prop_map(String::into_bytes),
        ], 1..12),
        media in 0usize..8, line in 0usize..9,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let lab = Lab::new().await;
            let before = lab.server.revision();
            for body in bodies {
                let reply = lab.raw(LINES[line], &[("content-type", MEDIA[media])], body.clone()).await;
                // What happens to be a body without effect is fine.
                assert!(reply.code >= 400 || lab.server.revision() == before, "{body:?}: {}", reply.text());
                if reply.code >= 400 {
                    assert_eq!(reply.json()["kind"], "Status", "{}", reply.text());
                    assert!(reply.code <= 500, "{}", reply.text());
                }
            }
            assert_eq!(lab.server.revision(), before);
        });
    }

    /// Any path and query gets an answer, and GETs write nothing.
    #[test]
    fn any_path_is_answered(path in "(/(api|apis|v1|apps|namespaces|default|services|watch|status|[a-z%]{0,4})){0,8}", query in "[a-zA-Z=&%0-9]{0,30}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let lab = Lab::new().await;
            let before = lab.server.revision();
            let uri = format!("/{}?watch=false&x{query}", path.trim_start_matches('/'));
            if uri.parse::<http::Uri>().is_ok() && !path.contains("watch") {
                let reply = lab.raw(&format!("GET {uri}"), &[], "").await;
                assert!(reply.code < 500, "{uri}: {}", reply.text());
            }
            assert_eq!(lab.server.revision(), before);
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn addresses_and_ports_are_given_once() {
    let lab = std::sync::Arc::new(Lab::new().await);
    let writers: Vec<_> = (0..16)
        .map(|writer| {
            let lab = lab.clone();
            tokio::spawn(async move {
                for round in 0..20 {
                    let name = format!("s{writer}-{round}");
                    let mut body = service(&name);
                    body["spec"]["type"] = "NodePort".into();
                    body["spec"]["ipFamilyPolicy"] = "PreferDualStack".into();
                    let (code, made) = lab.send(&format!("POST {SERVICES}"), &body).await;
                    assert_eq!(code, 201, "{made}");
                    if round % 3 == 0 {
                        assert_eq!(lab.send(&format!("DELETE {SERVICES}/{name}"), &json!({})).await.0, 200);
                    } else if round % 3 == 1 {
                        let change = json!({"spec": {"type": "ClusterIP", "ipFamilyPolicy": "SingleStack"}});
                        let (code, changed) =
                            lab.patch("merge-patch", &format!("{SERVICES}/{name}"), &change).await;
                        assert_eq!(code, 200, "{changed}");
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let services = lab.get(SERVICES).await;
    let (mut addresses, mut ports) = (BTreeSet::new(), BTreeSet::new());
    for service in services["items"].as_array().unwrap() {
        for ip in service["spec"]["clusterIPs"].as_array().unwrap() {
            assert!(addresses.insert(ip.as_str().unwrap().to_owned()), "{ip} twice");
        }
        if let Some(port) = service["spec"]["ports"][0]["nodePort"].as_u64() {
            assert!(ports.insert(port), "{port} twice");
        }
    }
    let kept = lab.get("/apis/networking.k8s.io/v1/ipaddresses").await;
    let kept: BTreeSet<String> = kept["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| a["metadata"]["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kept, addresses, "an IPAddress for each address in use, and no other");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_change_is_lost() {
    let lab = std::sync::Arc::new(Lab::new().await);
    lab.send(&format!("POST {MAPS}"), &config_map("c", json!({}))).await;
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let lab = lab.clone();
            tokio::spawn(async move {
                let mut made = 0;
                while made < 10 {
                    let change = json!({"data": {format!("w{writer}-{made}"): "x"}});
                    // Patches are tried again by the server; one that still lost tells so.
                    match lab.patch("merge-patch", &format!("{MAPS}/c"), &change).await.0 {
                        200 => made += 1,
                        code => assert_eq!(code, 409),
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(lab.get(&format!("{MAPS}/c")).await["data"].as_object().unwrap().len(), 80);
}

#[tokio::test]
async fn a_restart_remembers_who_holds_what() {
    use std::sync::Arc;

    use crate::{ApiServer, Config};
    let store = Arc::new(portway_store::memory::MemoryStore::new());
    let lab = Lab { server: ApiServer::open(Config::default(), store.clone()).await.unwrap() };
    let mut body = service("web");
    body["spec"]["type"] = "NodePort".into();
    let (_, made) = lab.send(&format!("POST {SERVICES}"), &body).await;
    drop(lab);
    let lab = Lab { server: ApiServer::open(Config::default(), store).await.unwrap() };
    assert_eq!(lab.get(&format!("{SERVICES}/web")).await, made);
    body["metadata"]["name"] = "thief".into();
    body["spec"]["ports"][0]["nodePort"] = made["spec"]["ports"][0]["nodePort"].clone();
    assert_eq!(lab.send(&format!("POST {SERVICES}"), &body).await.0, 422);
    body["spec"]["ports"][0].as_object_mut().unwrap().remove("nodePort");
    body["spec"]["clusterIP"] = made["spec"]["clusterIP"].clone();
    assert_eq!(lab.send(&format!("POST {SERVICES}"), &body).await.0, 422);
}
