//! Server-side apply and managed fields.

use serde_json::{Value, json};

use super::lab::{Lab, Reply, config_map};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

async fn apply(lab: &Lab, query: &str, body: &Value) -> Reply {
    let headers = [("content-type", "application/apply-patch+yaml")];
    lab.raw(&format!("PATCH {MAPS}/a?{query}"), &headers, body.to_string()).await
}

fn managers(object: &Value) -> Vec<(String, String)> {
    let text = |entry: &Value, field: &str| entry[field].as_str().unwrap().to_owned();
    let list = object["metadata"]["managedFields"].as_array();
    list.into_iter().flatten().map(|e| (text(e, "manager"), text(e, "operation"))).collect()
}

#[tokio::test]
async fn configurations_meet() {
    let lab = Lab::new().await;
    let mine = config_map("a", json!({"k": "1"}));
    assert_eq!(apply(&lab, "", &mine).await.code, 422, "a manager is needed");
    let made = apply(&lab, "fieldManager=one", &mine).await;
    assert_eq!(made.code, 201, "{}", made.text());
    let made = made.json();
    let again = apply(&lab, "fieldManager=one", &mine).await;
    assert_eq!((again.code, again.json()), (200, made.clone()), "nothing to do");

    let other = config_map("a", json!({"k": "2", "m": "3"}));
    let conflict = apply(&lab, "fieldManager=two", &other).await;
    assert_eq!(conflict.code, 409);
    assert_eq!(conflict.json()["details"]["causes"][0]["field"], ".data.k", "{}", conflict.text());
    let forced = apply(&lab, "fieldManager=two&force=true", &other).await.json();
    assert_eq!(forced["data"], json!({"k": "2", "m": "3"}), "{forced}");
    // What a manager no longer names goes, if nobody else has it.
    let less = apply(&lab, "fieldManager=two", &config_map("a", json!({"k": "2"}))).await.json();
    assert_eq!(less["data"], json!({"k": "2"}), "{less}");

    let mut stale = config_map("a", json!({"k": "5"}));
    stale["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"].clone();
    assert_eq!(apply(&lab, "fieldManager=two", &stale).await.code, 409);
    stale["metadata"]["name"] = "b".into();
    assert_eq!(apply(&lab, "fieldManager=two", &stale).await.code, 400);
    let unknown = json!({"apiVersion": "v1", "kind": "ConfigMap", "zork": 1});
    assert_eq!(apply(&lab, "fieldManager=two", &unknown).await.code, 500);
}

#[tokio::test]
async fn writes_are_recorded() {
    let lab = Lab::new().await;
    let headers = [("user-agent", "robot/1.0 (linux)")];
    let body = config_map("a", json!({"k": "1"})).to_string();
    let made = lab.raw(&format!("POST {MAPS}"), &headers, body).await.json();
    assert_eq!(managers(&made), [("robot".to_owned(), "Update".to_owned())], "{made}");
    let change = json!({"data": {"m": "2"}});
    let (_, changed) = lab.patch("merge-patch", &format!("{MAPS}/a?fieldManager=hand"), &change).await;
    assert_eq!(managers(&changed).len(), 2, "{changed}");
    let conflict = apply(&lab, "fieldManager=one", &config_map("a", json!({"m": "9"}))).await;
    assert!(conflict.text().contains(r#"conflict with \"hand\" using v1: .data.m"#), "{}", conflict.text());
    let cleared = json!({"metadata": {"managedFields": [{}]}});
    let (_, cleared) = lab.patch("merge-patch", &format!("{MAPS}/a"), &cleared).await;
    assert_eq!(managers(&cleared), []);
}
