//! Documents that do not change while the server runs: version, discovery, OpenAPI.
//!
//! Discovery is small and made for each request. OpenAPI documents are large: made on first use, kept
//! compressed, and recognized by clients through their hash.

mod keep;

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, EXPIRES, IF_NONE_MATCH, LOCATION, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use portway_api::schema::schema;
use portway_machinery::discovery::{Discovery, fingerprint};
use portway_machinery::openapi::OpenApi;
use portway_machinery::status::Status;
use serde_json::{Value, json};

pub(crate) use keep::Kept;

use crate::answer::{self, Answer};
use crate::media::{self, Form, JSON};
use crate::path::Route;
use crate::query::Query;
use crate::reviews;
use crate::server::ApiServer;

/// The API this server speaks, as clients compare it with their own.
const VERSION: &str = "v1.36.0";
/// Media types of `/openapi/v2` in protobuf.
const GNOSTIC: [&str; 2] = [
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
];

/// The documents of a server.
pub(crate) struct Documents {
    discovery: Discovery,
    openapi: OpenApi,
    kept: Kept,
}

impl Documents {
    pub(crate) fn new() -> Self {
        let kinds = || portway_api::kinds::all().iter().copied().chain(reviews::KINDS.iter());
        Self {
            discovery: Discovery::new(kinds()),
            openapi: OpenApi::new(schema(), kinds(), VERSION),
            kept: Kept::default(),
        }
    }

    /// Whether any kind is of this group.
    pub(crate) fn has_group(&self, group: &str) -> bool {
        self.discovery.group_versions().any(|(name, _)| name == group)
    }
}

/// The document of a path.
pub(crate) fn answer(
    server: &ApiServer,
    route: &Route,
    headers: &HeaderMap,
    query: &Query,
    form: Form,
) -> Answer {
    let documents = &server.documents;
    let found = |document: Option<Value>| match document {
        Some(document) => answer::value(200, form, &document),
        None => answer::text(404, "404 page not found\n"),
    };
    match route {
        Route::Root => answer::value(200, form, &paths(documents)),
        Route::Version => answer::value(200, Form::default(), &version()),
        Route::CoreVersions => {
            let address = server.config.advertise.to_string();
            discovered(headers, form, documents.discovery.core(&address), &|v| {
                documents.discovery.aggregated_core(v)
            })
        }
        Route::Groups => discovered(headers, form, documents.discovery.groups(), &|v| {
            documents.discovery.aggregated_groups(v)
        }),
        Route::Group(name) => found(documents.discovery.group(name)),
        Route::Resources { group, version } => match documents.discovery.resources(group, version) {
            None if documents.has_group(group) => answer::status(form, &Status::no_such_path()),
            document => found(document),
        },
        Route::OpenApiV2 => openapi_v2(documents, headers),
        Route::OpenApiV3 => {
            let index =
                documents.kept.get("v3", || Some(documents.openapi.v3_index().to_string().into_bytes()));
            index.map_or_else(|| answer::text(404, "404 page not found\n"), |d| d.answer(headers, JSON))
        }
        Route::OpenApiV3Group(root) => openapi_v3(documents, root, headers, query),
        _ => answer::text(404, "404 page not found\n"),
    }
}

/// `/api` and `/apis`: aggregated for clients that ask for it, else classic.
fn discovered(headers: &HeaderMap, form: Form, classic: Value, aggregated: &dyn Fn(&str) -> Value) -> Answer {
    let accept = headers.get(ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let asked = media::elements(accept).into_iter().find_map(|element| {
        if !element.covers(JSON) {
            return None;
        }
        match (element.parameter("g"), element.parameter("as"), element.parameter("v")) {
            (None, None, _) => Some(None),
            (Some("apidiscovery.k8s.io"), Some("APIGroupDiscoveryList"), Some("v2")) => Some(Some("v2")),
            (Some("apidiscovery.k8s.io"), Some("APIGroupDiscoveryList"), Some("v2beta1")) => {
                Some(Some("v2beta1"))
            }
            _ => None,
        }
    });
    let Some(Some(version)) = asked else { return answer::value(200, form, &classic) };
    let body = aggregated(version).to_string();
    let etag = format!("\"{}\"", fingerprint(body.as_bytes()));
    let mut answer = if matches(headers, &etag) { not_modified() } else { answer::bytes(200, JSON, body) };
    let media = format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
    set(&mut answer, CONTENT_TYPE, &media);
    set(&mut answer, ETAG, &etag);
    answer.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
    answer
}

fn openapi_v2(documents: &Documents, headers: &HeaderMap) -> Answer {
    let accept = headers.get(ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let elements = media::elements(accept);
    let gnostic = elements.iter().find_map(|e| {
        if e.covers(JSON) { Some(None) } else { GNOSTIC.iter().find(|g| e.ty == **g).map(|g| Some(*g)) }
    });
    let (kept, media) = match gnostic {
        Some(Some(media)) => (documents.kept.get("v2pb", || Some(documents.openapi.v2_protobuf())), media),
        Some(None) => (documents.kept.get("v2", || Some(documents.openapi.v2())), JSON),
        None if elements.is_empty() => (documents.kept.get("v2", || Some(documents.openapi.v2())), JSON),
        None => return answer::status(Form::default(), &Status::not_acceptable(&[JSON, GNOSTIC[0]])),
    };
    kept.map_or_else(|| answer::text(404, "404 page not found\n"), |document| document.answer(headers, media))
}

fn openapi_v3(documents: &Documents, root: &str, headers: &HeaderMap, query: &Query) -> Answer {
    let (group, version) = match root.split('/').collect::<Vec<_>>().as_slice() {
        ["api", version] => (String::new(), (*version).to_owned()),
        ["apis", group, version] => ((*group).to_owned(), (*version).to_owned()),
        _ => return answer::text(404, "404 page not found\n"),
    };
    let kept = documents.kept.get(root, || documents.openapi.v3(&group, &version));
    let Some(document) = kept else { return answer::text(404, "404 page not found\n") };
    match query.get("hash") {
        Some(hash) if hash == document.hash => {
            let mut answer = document.answer(headers, JSON);
            set(&mut answer, CACHE_CONTROL, "public, immutable");
            set(&mut answer, EXPIRES, "Fri, 01 Jan 2100 00:00:00 GMT");
            answer
        }
        Some(_) => {
            let mut answer = answer::text(301, "");
            set(&mut answer, LOCATION, &format!("/openapi/v3/{root}?hash={}", document.hash));
            answer
        }
        None => document.answer(headers, JSON),
    }
}

fn matches(headers: &HeaderMap, etag: &str) -> bool {
    let tags = headers.get(IF_NONE_MATCH).and_then(|v| v.to_str().ok()).unwrap_or_default();
    tags.split(',').any(|tag| tag.trim() == etag)
}

fn not_modified() -> Answer {
    let mut answer = answer::text(200, "");
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    answer
}

fn set(answer: &mut Answer, name: http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

fn paths(documents: &Documents) -> Value {
    let mut paths: Vec<String> =
        ["/api", "/apis", "/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3"]
            .map(str::to_owned)
            .to_vec();
    paths.extend(["/readyz", "/version"].map(str::to_owned));
    for (group, version) in documents.discovery.group_versions() {
        if group.is_empty() {
            paths.push(format!("/api/{version}"));
        } else {
            paths.extend([format!("/apis/{group}"), format!("/apis/{group}/{version}")]);
        }
    }
    paths.sort();
    paths.dedup();
    json!({ "paths": paths })
}

fn version() -> Value {
    json!({
        "major": "1",
        "minor": "36",
        "gitVersion": VERSION,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, architecture()),
    })
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
