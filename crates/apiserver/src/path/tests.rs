//! Paths and what they mean, as a table; arbitrary paths never panic.

use proptest::prelude::*;

use super::*;

/// `group/version resource ns=.. name=.. sub=.. rest=..`, leaving out what is empty.
fn shown(route: Route) -> String {
    let Route::Objects(t) = route else { return format!("{route:?}") };
    let mut text = format!("{}/{} {}", t.group, t.version, t.resource);
    for (label, value) in [("ns", t.namespace), ("name", t.name), ("sub", t.subresource), ("rest", t.rest)] {
        if !value.is_empty() {
            text.push_str(&format!(" {label}={value}"));
        }
    }
    if t.watch {
        text.push_str(" watch");
    }
    text
}

#[test]
fn paths() {
    let check = |path: &str, expect: &str| assert_eq!(shown(parse(path)), expect, "{path}");
    check("/", "Root");
    check("", "Root");
    check("/healthz", r#"Health { endpoint: "healthz", check: None }"#);
    check("/readyz/poststarthook/x", r#"Health { endpoint: "readyz", check: Some("poststarthook/x") }"#);
    check("/version/", "Version");
    check("/openapi/v3/apis/apps/v1", r#"OpenApiV3Group("apis/apps/v1")"#);
    check("/api", "CoreVersions");
    check("/apis/", "Groups");
    check("/apis/apps", r#"Group("apps")"#);
    check("/api/v1", r#"Resources { group: "", version: "v1" }"#);
    check("/apis/apps/v1", r#"Resources { group: "apps", version: "v1" }"#);
    check("/nowhere", "Unknown");
    check("/api/v1/services", "/v1 services");
    check("//api///v1/services/", "/v1 services");
    check("/api/v1/nodes/n1/status", "/v1 nodes name=n1 sub=status");
    check("/api/v1/namespaces", "/v1 namespaces");
    check("/api/v1/namespaces/a", "/v1 namespaces ns=a name=a");
    check("/api/v1/namespaces/a/status", "/v1 namespaces ns=a name=a sub=status");
    check("/api/v1/namespaces/a/finalize", "/v1 namespaces ns=a name=a sub=finalize");
    check("/api/v1/namespaces/a/services", "/v1 services ns=a");
    check("/api/v1/namespaces/a/services/s", "/v1 services ns=a name=s");
    check("/api/v1/namespaces/a/services/s/status", "/v1 services ns=a name=s sub=status");
    check(
        "/api/v1/namespaces/a/services/https:s:443/proxy/x/y",
        "/v1 services ns=a name=https:s:443 sub=proxy rest=x/y",
    );
    check("/apis/apps/v1/namespaces/a/deployments/d/scale", "apps/v1 deployments ns=a name=d sub=scale");
    check("/apis/discovery.k8s.io/v1/endpointslices", "discovery.k8s.io/v1 endpointslices");
    check("/api/v1/watch/namespaces/a/pods", "/v1 pods ns=a watch");
    check("/api/v1/watch/nodes/n", "/v1 nodes name=n watch");
    check("/api/v1/watch", "/v1 watch");
    check("/api/v1/namespaces/a%2Fb/pods/c%20d", "/v1 pods ns=a/b name=c d");
}

#[test]
fn verbs() {
    let check = |line: &str, expect: Option<Verb>| {
        let (method, url) = line.split_once(' ').unwrap();
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let Route::Objects(target) = parse(path) else { panic!("{line}") };
        assert_eq!(verb(&method.parse().unwrap(), &target, &Query::parse(query)), expect, "{line}");
    };
    check("GET /api/v1/pods", Some(Verb::List));
    check("HEAD /api/v1/pods", Some(Verb::List));
    check("GET /api/v1/pods?watch", Some(Verb::Watch));
    check("GET /api/v1/pods?watch=0", Some(Verb::List));
    check("GET /api/v1/watch/pods", Some(Verb::Watch));
    check("GET /api/v1/nodes/n", Some(Verb::Get));
    check("GET /api/v1/nodes/n?watch=true", Some(Verb::Watch));
    check("POST /api/v1/nodes", Some(Verb::Create));
    check("POST /api/v1/nodes/n", None);
    check("POST /api/v1/namespaces/a/pods/p/binding", Some(Verb::Create));
    check("PUT /api/v1/nodes/n", Some(Verb::Update));
    check("PUT /api/v1/nodes", None);
    check("PATCH /api/v1/nodes", None);
    check("PATCH /api/v1/nodes/n/status", Some(Verb::Patch));
    check("DELETE /api/v1/nodes/n", Some(Verb::Delete));
    check("DELETE /api/v1/nodes", Some(Verb::DeleteCollection));
    check("OPTIONS /api/v1/nodes", None);
}

proptest! {
    /// Any text is some route; objects always have a resource, and never a subresource without a name.
    #[test]
    fn parsing_is_total(path in "(/(api|apis|v1|namespaces|watch|status|finalize|%2f|[a-z%]{0,3}|\\PC{0,4})){0,9}", query in "\\PC{0,20}") {
        if let Route::Objects(target) = parse(&path) {
            prop_assert!(!target.resource.is_empty());
            prop_assert!(target.subresource.is_empty() || !target.name.is_empty());
            for method in [Method::GET, Method::PUT, Method::POST, Method::DELETE, Method::PATCH, Method::TRACE] {
                let _ = verb(&method, &target, &Query::parse(&query));
            }
        }
    }

    /// Writing a target as a path and reading it again gives the target.
    #[test]
    fn paths_round_trip(
        namespace in "[a-z]{0,4}", resource in "[a-z]{3,6}x", name in "[a-z0-9.]{0,4}",
        subresource in "(status|scale|log)?",
    ) {
        let subresource = if name.is_empty() { String::new() } else { subresource };
        let mut path = "/apis/g/v1".to_owned();
        if !namespace.is_empty() {
            path.push_str(&format!("/namespaces/{namespace}"));
        }
        path.push_str(&format!("/{resource}/{name}/{subresource}"));
        let expect = Target {
            group: "g".into(), version: "v1".into(), namespace, resource, name, subresource, ..Target::default()
        };
        prop_assert_eq!(parse(&path), Route::Objects(expect));
    }
}
