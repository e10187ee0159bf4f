//! Decoding: tables of bodies and error texts; nothing panics on arbitrary bytes.

use portway_api::schema::schema;
use proptest::prelude::*;
use serde_json::json;

use super::*;

const SERVICE: Expected<'_> =
    Expected { group: "", version: "v1", kind: "Service", message: "io.k8s.api.core.v1.Service" };
const POD: Expected<'_> =
    Expected { group: "", version: "v1", kind: "Pod", message: "io.k8s.api.core.v1.Pod" };

fn service(body: &str) -> Result<Decoded, String> {
    object(body.as_bytes(), Format::Json, &SERVICE, schema()).map_err(|s| s.message)
}

#[test]
fn bodies() {
    let check = |body: &str, expect: Value| {
        let got = service(body).unwrap_or_else(|e| panic!("{body}: {e}"));
        assert_eq!(got.value, expect, "{body}");
    };
    let bare = json!({"apiVersion": "v1", "kind": "Service"});
    let with = |key: &str, value: Value| {
        let mut all = bare.clone();
        all[key] = value;
        all
    };
    check("{}", bare.clone());
    check(r#"{"kind":"Service"}"#, bare.clone());
    check(r#"{"apiVersion":null,"kind":"","status":null}"#, bare.clone());
    check(
        r#"{"metadata":{"name":"x","creationTimestamp":null,"labels":{},"finalizers":[]}}"#,
        with("metadata", json!({"name": "x", "labels": {}, "finalizers": []})),
    );
    check(r#"{"metadata":{"labels":{"a":null}}}"#, with("metadata", json!({"labels": {"a": ""}})));
    check(
        r#"{"spec":{"ports":[{"port":80,"targetPort":"web"},{"port":81,"targetPort":82},null]}}"#,
        with(
            "spec",
            json!({"ports": [{"port": 80, "targetPort": "web"}, {"port": 81, "targetPort": 82}, {}]}),
        ),
    );
    check(
        r#"{"metadata":{"creationTimestamp":"2026-01-02T03:04:05.6+02:00","generation":9007199254740993}}"#,
        with(
            "metadata",
            json!({"creationTimestamp": "2026-01-02T01:04:05Z", "generation": 9_007_199_254_740_993_i64}),
        ),
    );
}

#[test]
fn type_errors() {
    let check = |body: &str, expect: &str| {
        let head = "Service in version \"v1\" cannot be handled as a Service: ";
        assert_eq!(service(body).unwrap_err(), format!("{head}{expect}"), "{body}");
    };
    check(
        r#"{"spec":{"ports":[{"port":"80"}]}}"#,
        "json: cannot unmarshal string into Go struct field ServicePort.spec.ports.port of type int32",
    );
    check(
        r#"{"spec":{"ports":[{"port":80.5}]}}"#,
        "json: cannot unmarshal number 80.5 into Go struct field ServicePort.spec.ports.port of type int32",
    );
    check(
        r#"{"spec":{"ports":[{"port":3000000000}]}}"#,
        "json: cannot unmarshal number 3000000000 into Go struct field ServicePort.spec.ports.port of type int32",
    );
    check(
        r#"{"spec":{"ports":{"port":80}}}"#,
        "json: cannot unmarshal object into Go struct field ServiceSpec.spec.ports of type []v1.ServicePort",
    );
    check(
        r#"{"spec":[]}"#,
        "json: cannot unmarshal array into Go struct field Service.spec of type v1.ServiceSpec",
    );
    check(
        r#"{"spec":{"selector":{"a":1}}}"#,
        "json: cannot unmarshal number into Go struct field ServiceSpec.spec.selector of type string",
    );
    check(
        r#"{"spec":{"clusterIP":true}}"#,
        "json: cannot unmarshal bool into Go struct field ServiceSpec.spec.clusterIP of type string",
    );
    check(
        r#"{"spec":{"ports":[{"targetPort":1.5}]}}"#,
        "json: cannot unmarshal number 1.5 into Go value of type int32",
    );
    check(
        r#"{"metadata":{"creationTimestamp":"today"}}"#,
        "parsing time \"today\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"today\" as \"2006\"",
    );
}

#[test]
fn refused_bodies() {
    let check = |body: &str, expect: &str| {
        let status = object(body.as_bytes(), Format::Json, &SERVICE, schema()).unwrap_err();
        assert_eq!((status.code, status.reason), (400, "BadRequest"));
        assert!(status.message.starts_with(expect), "{body}: {}", status.message);
    };
    let head = "the object provided is unrecognized (must be of type Service): couldn't get version/kind; json parse error: ";
    check("", &format!("{head}unexpected end of JSON input (<empty>)"));
    check("{\"a\":", &format!("{head}unexpected end of JSON input ({{\"a\":)"));
    check("[1]", &format!("{head}json: cannot unmarshal array into Go value of type struct (5b315d)"));
    check("{} x", &format!("{head}trailing characters"));
    check("{\"a\":1e999}", &format!("{head}number out of range"));
    check(
        r#"{"kind":1}"#,
        &format!("{head}json: cannot unmarshal number into Go struct field .kind of type string"),
    );
    check(r#"{"kind":"Pod"}"#, "Pod in version \"v1\" cannot be handled as a Service: no kind \"Pod\"");
    check(
        r#"{"apiVersion":"v2"}"#,
        "the API version in the data (v2) does not match the expected API version (v1)",
    );
    let deep = format!("{{\"metadata\":{}1{}}}", "[".repeat(500), "]".repeat(500));
    check(&deep, head);
    let deep = format!("{}1{}", "{\"a\":".repeat(119), "}".repeat(119));
    assert!(parse(Format::Json, deep.as_bytes()).is_ok());
}

#[test]
fn unknown_and_duplicate_fields() {
    let body = r#"{"zz":1,"spec":{"type":"NodePort","ports":[{"port":80,"nodeProt":{"a":1,"a":2}}],
        "Type":"x","type":"ClusterIP","selector":{"a":"b","a":"c"}},"spec2":null}"#;
    let problems = [
        "unknown field \"zz\"",
        "unknown field \"spec.ports[0].nodeProt\"",
        "unknown field \"spec.Type\"",
        "duplicate field \"spec.type\"",
        "duplicate field \"spec.selector.a\"",
        "unknown field \"spec2\"",
    ];
    let decoded = service(body).unwrap();
    assert_eq!(decoded.problems, problems);
    assert_eq!(
        decoded.value["spec"],
        json!({"type": "ClusterIP", "ports": [{"port": 80}], "selector": {"a": "c"}})
    );
    let settle = |validation: FieldValidation| validation.settle(decoded.clone(), &SERVICE);
    assert_eq!(settle(FieldValidation::Ignore).unwrap().1.len(), 0);
    assert_eq!(settle(FieldValidation::Warn).unwrap().1, problems);
    assert_eq!(
        settle(FieldValidation::Strict).unwrap_err().message,
        format!(
            "Service in version \"v1\" cannot be handled as a Service: strict decoding error: {}",
            problems.join(", ")
        )
    );
    let patched = FieldValidation::Strict
        .settle_patch(decoded, Subject { kind: "Service", name: "x", ..Subject::default() }, b"{}")
        .unwrap_err();
    assert_eq!(patched.code, 422);
    assert!(
        patched
            .message
            .starts_with("Service \"x\" is invalid: patch: Invalid value: \"{}\": strict decoding")
    );
    assert!(FieldValidation::from_parameter(Some("strict")).is_err());
    assert_eq!(FieldValidation::from_parameter(None), Ok(FieldValidation::Warn));
}

#[test]
fn yaml_scalars() {
    let check = |text: &str, expect: Value| {
        let got = parse(Format::Yaml, format!("a: {text}\n").as_bytes()).map(Document::into_value);
        assert_eq!(got, Ok(json!({"a": expect})), "{text}");
    };
    check("", json!(null));
    check("~", json!(null));
    check("'~'", json!("~"));
    check("yes", json!(true));
    check("Off", json!(false));
    check("\"yes\"", json!("yes"));
    check("y", json!(true));
    check("80", json!(80));
    check("+5", json!(5));
    check("-5", json!(-5));
    check("0x1F", json!(31));
    check("0777", json!(511));
    check("0o17", json!(15));
    check("0b101", json!(5));
    check("1_000", json!(1000));
    check("08", json!(8));
    check("80.0", json!(80));
    check("1.5", json!(1.5));
    check(".5", json!(0.5));
    check("1e3", json!("1e3"));
    check("1e+3", json!(1000));
    check("18446744073709551615", json!(18_446_744_073_709_551_615_u64));
    check("12:30:45", json!("12:30:45"));
    check("2026-01-02", json!("2026-01-02"));
    check("10.0.0.1", json!("10.0.0.1"));
    check("!!str 80", json!("80"));
    check("!!int 80", json!(80));
    check("! 80", json!("80"));
    check("!!binary aGk=", json!("hi"));
    check("|\n  x\n  y\n", json!("x\ny\n"));
    check(">-\n  x\n  y\n", json!("x y"));
    check("{1: a, true: b, 1.5: c}", json!({"1": "a", "true": "b", "1.5": "c"}));
}

#[test]
fn yaml_documents() {
    let check = |text: &str, expect: Result<Value, &str>| {
        let got = parse(Format::Yaml, text.as_bytes()).map(Document::into_value);
        match expect {
            Ok(value) => assert_eq!(got, Ok(value), "{text}"),
            Err(part) => {
                let error = got.unwrap_err().0;
                assert!(error.contains(part), "{text}: {error}");
            }
        }
    };
    check("", Ok(json!(null)));
    check("# nothing\n", Ok(json!(null)));
    check("---\na: 1\n---\n", Ok(json!({"a": 1})));
    check("a: 1\n---\nb: 2\n", Err("only one document"));
    check("{\"a\": [1, {\"b\": null}]}", Ok(json!({"a": [1, {"b": null}]})));
    check("a: &x {p: 1}\nb: *x\n", Ok(json!({"a": {"p": 1}, "b": {"p": 1}})));
    check(
        "a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\n",
        Ok(json!({"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3}})),
    );
    check("a: &x {b: *x}\n", Err("yaml:"));
    check("a: b: c\n", Err("yaml:"));
    check("a: [1\n", Err("yaml:"));
    check("? [a]\n: 1\n", Err("unsupported map key"));
    check("~: 1\n", Err("unsupported map key"));
    check("a: .inf\n", Err("unsupported value"));
    check("a: !!int x\n", Err("cannot decode"));
    check(&"[".repeat(5000), Err("yaml:"));
    check(&"- ".repeat(5000), Err("yaml:"));
    let mut laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for i in 1..10 {
        let inner = vec![format!("*a{}", i - 1); 10].join(",");
        laughs.push_str(&format!("a{i}: &a{i} [{inner}]\n"));
    }
    check(&laughs, Err("excessive aliasing"));
    let found = parse(Format::Yaml, b"a: 1\nb: {c: 1, c: 2}\na: 2\n").unwrap().duplicates();
    assert_eq!(found, ["duplicate field \"b.c\"", "duplicate field \"a\""]);
}

#[test]
fn quantities_bytes_and_micro_times() {
    let check = |text: &str, expect: Option<&str>| {
        assert_eq!(canonical_quantity(text).ok().as_deref(), expect, "{text}");
    };
    check("1", Some("1"));
    check("0", Some("0"));
    check("0Gi", Some("0"));
    check("1000m", Some("1"));
    check("0.5", Some("500m"));
    check("1500m", Some("1500m"));
    check("100e6", Some("100e6"));
    check("1e3", Some("1e3"));
    check("1000k", Some("1M"));
    check("1024Ki", Some("1Mi"));
    check("1.5Gi", Some("1536Mi"));
    check("512", Some("512"));
    check("0.5Ki", Some("512"));
    check("1000Ki", Some("1000Ki"));
    check("0.1Ki", Some("102400m"));
    check("-1", Some("-1"));
    check(".5", Some("500m"));
    check("1.", Some("1"));
    check("0.0000000001", Some("1n"));
    check("100000000000E", Some("9223372036854775807"));
    check("99999999999999999999999999999999999999999999999999999", Some("9223372036854775807"));
    check("1e9999", Some("9223372036854775807"));
    check("", None);
    check(".", None);
    check("x", None);
    check("1Q", None);
    check("1.2.3", None);
    check("1 Gi", None);

    assert_eq!(canonical_micro_time("2026-01-02T03:04:05Z").as_deref(), Ok("2026-01-02T03:04:05.000000Z"));
    assert_eq!(
        canonical_micro_time("2026-01-02T03:04:05.1234567Z").as_deref(),
        Ok("2026-01-02T03:04:05.123456Z")
    );
    for bad in ["", "2026-01-02", "2026-01-02 03:04:05Z", "2026-01-02T03:04:05", "2026-13-02T03:04:05Z"] {
        assert!(canonical_time(bad).is_err(), "{bad}");
    }

    let secret = |data: &str| {
        let expected = Expected { kind: "Secret", message: "io.k8s.api.core.v1.Secret", ..SERVICE };
        object(format!("{{\"data\":{{\"k\":{data:?}}}}}").as_bytes(), Format::Json, &expected, schema())
            .map(|d| d.value["data"]["k"].clone())
            .map_err(|s| s.message)
    };
    assert_eq!(secret("aGk="), Ok(json!("aGk=")));
    assert_eq!(secret("aG\nk="), Ok(json!("aGk=")));
    assert!(secret("a!").unwrap_err().ends_with("illegal base64 data at input byte 1"));

    let pod =
        br#"{"spec":{"containers":[{"name":"c","resources":{"limits":{"cpu":0.5,"memory":"1024Ki"}}}]}}"#;
    let pod = object(pod, Format::Json, &POD, schema()).unwrap().value;
    assert_eq!(pod["spec"]["containers"][0]["resources"]["limits"], json!({"cpu": "500m", "memory": "1Mi"}));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..64)) {
        for format in [Format::Json, Format::Yaml] {
            let _ = object(&body, format, &SERVICE, schema());
        }
    }

    #[test]
    fn arbitrary_text_never_panics(body in "[ -~\n]{0,80}|([{}\\[\\],:&*!<|>'\"? \n#%@~-]|a|1){0,40}") {
        for format in [Format::Json, Format::Yaml] {
            let _ = object(body.as_bytes(), format, &POD, schema());
        }
    }

    #[test]
    fn mutated_manifests_never_panic(at in 0..200usize, with in any::<u8>()) {
        let mut body = br#"{"metadata":{"name":"x","labels":{"a":"b"}},"spec":{"ports":[{"port":80,"targetPort":"web"}],"externalIPs":["192.0.2.1"]},"status":{"loadBalancer":{}}}"#.to_vec();
        let at = at % body.len();
        body[at] = with;
        for format in [Format::Json, Format::Yaml] {
            let _ = object(&body, format, &SERVICE, schema());
        }
    }

    #[test]
    fn quantities_are_stable(text in "[+-]?[0-9]{0,22}(\\.[0-9]{0,22})?(e[0-9]|E[+-]?[0-9]{1,2}|[numkMGTPE]|[KMGTPE]i)?") {
        if let Ok(once) = canonical_quantity(&text) {
            prop_assert_eq!(canonical_quantity(&once), Ok(once));
        }
    }

    #[test]
    fn json_and_yaml_agree(value in value()) {
        let text = serde_json::to_vec(&value).unwrap();
        prop_assert_eq!(parse(Format::Json, &text).map(Document::into_value), Ok(value.clone()));
        prop_assert_eq!(parse(Format::Yaml, &text).map(Document::into_value), Ok(value));
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z ]{1,6}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
