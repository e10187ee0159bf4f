//! Selectors: tables of texts and errors, and the print/parse round trip.

use std::collections::BTreeMap;

use portway_api::types::meta;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::fixture;

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

#[test]
fn matching() {
    let have = labels(&[("app", "web"), ("n", "7"), ("empty", ""), ("in", "notin")]);
    let check = |text: &str, expect: bool| {
        let selector: Selector = text.parse().unwrap();
        assert_eq!(selector.matches(&have), expect, "{text}");
    };
    check("", true);
    check("   ", true);
    check("app=web", true);
    check("app==web", true);
    check(" app = web , n = 7", true);
    check("app!=web", false);
    check("zone!=a", true);
    check("app in (web,db)", true);
    check("app notin (db)", true);
    check("zone notin (db)", true);
    check("app", true);
    check("!app", false);
    check("!zone", true);
    check("n>6", true);
    check("n<7", false);
    check("app>1", false);
    check("zone<1", false);
    check("empty=", true);
    check("empty=,app=web", true);
    check("empty in ()", true);
    check("app in ()", false);
    check("empty in (,a)", true);
    check("in in (in,notin)", true);
    check("in=notin", true);
}

#[test]
fn label_errors() {
    let check = |text: &str, expect: &str| {
        let error = text.parse::<Selector>().unwrap_err().0;
        assert!(error.starts_with(expect), "{text}: {error}");
    };
    check("a=b=c", "found '=', expected: ',' or 'end of string'");
    check("a,", "found '', expected: identifier after ','");
    check(",a", "found ',', expected: !, identifier, or 'end of string'");
    check("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt");
    check("n=a b", "found 'b', expected: ',' or 'end of string'");
    check("a in b", "unable to parse requirement: found 'b' expected: '('");
    check("a in (b", "unable to parse requirement: found '', expected: ',' or ')'");
    check("!", "unable to parse requirement: found '', expected: identifier");
    check("!a=b", "found '=', expected: ',' or 'end of string'");
    check(
        "k>abc",
        "unable to parse requirement: values[0]: Invalid value: \"abc\": for 'Gt', 'Lt' operators, the value must be an integer",
    );
    check(
        "a=b^c",
        "unable to parse requirement: values[0][a]: Invalid value: \"b^c\": a valid label must be an empty string or",
    );
    check("-a=b", "unable to parse requirement: <nil>: Invalid value: \"-a\": name part must consist of");
    check("/a=b", "unable to parse requirement: <nil>: Invalid value: \"/a\": prefix part must be non-empty");
    check("a/b/c=b", "unable to parse requirement: <nil>: Invalid value: \"a/b/c\": a qualified name must");
    check(&format!("a={}", "x".repeat(64)), "unable to parse requirement: values[0][a]: Invalid value: ");
}

#[test]
fn typed_selectors() {
    let term = |key: &str, operator: &str, values: &[&str]| meta::LabelSelectorRequirement {
        key: key.to_owned(),
        operator: operator.to_owned(),
        values: values.iter().map(|v| (*v).to_owned()).collect(),
    };
    let check = |terms: Vec<meta::LabelSelectorRequirement>, expect: Option<bool>| {
        let typed = meta::LabelSelector { match_labels: labels(&[("app", "web")]), match_expressions: terms };
        let have = labels(&[("app", "web"), ("n", "7")]);
        assert_eq!(Selector::from_typed(&typed).ok().map(|s| s.matches(&have)), expect, "{typed:?}");
    };
    check(vec![], Some(true));
    check(vec![term("n", "In", &["7", "8"])], Some(true));
    check(vec![term("n", "NotIn", &["7"])], Some(false));
    check(vec![term("n", "Exists", &[])], Some(true));
    check(vec![term("n", "DoesNotExist", &[])], Some(false));
    check(vec![term("n", "Exists", &["x"])], None);
    check(vec![term("n", "In", &[])], None);
    check(vec![term("n", "Near", &["7"])], None);
    check(vec![term("n!", "Exists", &[])], None);
    assert!(Selector::from_typed(&meta::LabelSelector::default()).unwrap().is_everything());
}

#[test]
fn labels_of_objects() {
    let selector: Selector = "app=web".parse().unwrap();
    assert!(selector.matches(&json!({"metadata": {"labels": {"app": "web"}}})));
    assert!(!selector.matches(&json!({"metadata": {}})));
    assert!(!selector.matches(&json!(null)));
}

#[test]
fn field_terms() {
    let check = |text: &str, expect: Result<&str, &str>| {
        let got = text.parse::<FieldSelector>().map(|s| s.to_string()).map_err(|e| e.0);
        assert_eq!(got, expect.map(str::to_owned).map_err(str::to_owned), "{text}");
    };
    check("", Ok(""));
    check("metadata.name=x", Ok("metadata.name=x"));
    check("b==x,a!=y,", Ok("a!=y,b=x"));
    check("spec.clusterIP=", Ok("spec.clusterIP="));
    check(r"a=x\,y\=z\\", Ok(r"a=x\,y\=z\\"));
    check("a", Err("invalid selector: 'a'; can't understand 'a'"));
    check("a in (b)", Err("invalid selector: 'a in (b)'; can't understand 'a in (b)'"));
    check("a=b=c", Err("invalid field selector: unescaped character in value: 61"));
    check(r"a=\x", Err(r"invalid field selector: invalid escape sequence: \x"));
    check("a=\\", Err("invalid field selector: invalid escape sequence: \\"));
}

#[test]
fn fields_of_a_kind() {
    let object = json!({"metadata": {"name": "x", "namespace": "n"}, "spec": {"type": "NodePort"}});
    let check = |text: &str, expect: Result<bool, &str>| {
        let selector: FieldSelector = text.parse().unwrap();
        let got = selector.check(fixture::service()).map(|()| selector.matches(fixture::service(), &object));
        assert_eq!(got.map_err(|e| e.0), expect.map_err(str::to_owned), "{text}");
    };
    check("", Ok(true));
    check("metadata.name=x,metadata.namespace=n", Ok(true));
    check("metadata.name!=x", Ok(false));
    check("spec.type=NodePort", Ok(true));
    check("spec.type!=NodePort", Ok(false));
    check("spec.type=", Ok(false));
    check("spec.zz=1", Err("field label not supported: spec.zz"));
    let plain: FieldSelector = "spec.zz=1".parse().unwrap();
    assert_eq!(
        plain.check(portway_api::kinds::find("", "v1", "configmaps").unwrap()).unwrap_err().0,
        "\"spec.zz\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
    );
    let name: FieldSelector = "metadata.name=x".parse().unwrap();
    assert_eq!((name.required("metadata.name"), name.required("spec.type")), (Some("x"), None));
}

proptest! {
    #[test]
    fn label_text_round_trips(
        keys in prop::collection::vec("[a-z]([a-z0-9.-]{0,4}[a-z0-9])?(/[A-Za-z0-9])?", 0..5),
        operators in prop::collection::vec(0..8usize, 5),
        values in prop::collection::vec("([a-zA-Z0-9]([a-z_.-]{0,3}[0-9])?)?", 3),
        bound in any::<i64>(),
    ) {
        let mut requirements: Vec<Requirement> = keys.into_iter().zip(operators).map(|(key, operator)| {
            let set = values.iter().cloned().collect();
            let operator = match operator {
                0 => Operator::Exists,
                1 => Operator::DoesNotExist,
                2 => Operator::Equals(values[0].clone()),
                3 => Operator::NotEquals(values[0].clone()),
                4 => Operator::In(set),
                5 => Operator::NotIn(set),
                6 => Operator::GreaterThan(bound),
                _ => Operator::LessThan(bound),
            };
            Requirement { key, operator }
        }).filter(|r| r.check().is_ok()).collect();
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        let selector = Selector { requirements };
        prop_assert_eq!(selector.to_string().parse::<Selector>(), Ok(selector));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[a-z=!(),<> in\\\\]{0,24}|\\PC{0,12}") {
        if let Ok(selector) = text.parse::<Selector>() {
            prop_assert_eq!(selector.to_string().parse::<Selector>(), Ok(selector));
        }
        if let Ok(selector) = text.parse::<FieldSelector>() {
            prop_assert_eq!(selector.to_string().parse::<FieldSelector>(), Ok(selector));
        }
    }
}
