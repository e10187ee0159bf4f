//! Keeps the zone in step with the cluster: watches what the zone is made of, and tells it each change.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::{Stream, StreamExt};
use portway_api::Object;
use portway_api::types::core::Namespace;
use portway_api::types::discovery::EndpointSlice;
use portway_api::types::pod::Pod;
use portway_api::types::service::Service;
use portway_base::ObjectKey;
use portway_client::{Client, Event, ListOptions};
use tokio::sync::watch;

use crate::server::DnsHandle;
use crate::zone::{Change, PodMode, Zone};

/// A kind the zone is made of.
trait Source: Object {
    /// The state of one object as a change.
    fn change(state: Option<&Self>) -> Change<'_>;
    /// Drops what a fresh list did not have.
    fn retain(zone: &mut Zone, keep: &BTreeSet<ObjectKey>, now: u32);
}

macro_rules! source {
    ($($kind:ident => $change:ident, $retain:ident;)*) => {$(
        impl Source for $kind {
            fn change(state: Option<&Self>) -> Change<'_> {
                Change::$change(state)
            }

            fn retain(zone: &mut Zone, keep: &BTreeSet<ObjectKey>, now: u32) {
                zone.$retain(keep, now);
            }
        }
    )*};
}

source! {
    Service => Service, retain_services;
    EndpointSlice => Slice, retain_slices;
    Namespace => Namespace, retain_namespaces;
    Pod => Pod, retain_pods;
}

/// Feeds the zone for as long as it runs. The zone counts as synchronised once every kind was listed.
pub(crate) async fn run(client: Client, zone: DnsHandle) {
    let pods = zone.update(|zone| zone.config().pods == PodMode::Verified);
    let waiting = watch::Sender::new(if pods { 4 } else { 3 });
    let options = ListOptions::default;
    let services = follow(client.watch::<Service>(options()), &zone, &waiting);
    let slices = follow(client.watch::<EndpointSlice>(options()), &zone, &waiting);
    let namespaces = follow(client.watch::<Namespace>(options()), &zone, &waiting);
    let pods = async {
        if pods {
            follow(client.watch::<Pod>(options()), &zone, &waiting).await;
        }
    };
    let ready = async {
        if waiting.subscribe().wait_for(|waiting| *waiting == 0).await.is_ok() {
            zone.update(Zone::set_synced);
            tracing::info!("the cluster zone is synchronised");
        }
    };
    tokio::join!(services, slices, namespaces, pods, ready);
}

/// Takes the events of one kind into the zone.
async fn follow<T: Source>(
    mut events: impl Stream<Item = Event<T>> + Unpin,
    zone: &DnsHandle,
    waiting: &watch::Sender<u32>,
) {
    let mut listed = BTreeSet::new();
    let mut first = true;
    while let Some(event) = events.next().await {
        let now = now();
        let apply = |key: &ObjectKey, state: Option<&T>| {
            zone.update(|zone| zone.apply(key, T::change(state), now));
        };
        match event {
            Event::Init => listed.clear(),
            Event::InitApply(object) => {
                let key = object.key();
                apply(&key, Some(&object));
                listed.insert(key);
            }
            Event::InitDone => {
                zone.update(|zone| T::retain(zone, &listed, now));
                listed.clear();
                if std::mem::take(&mut first) {
                    waiting.send_modify(|waiting| *waiting -= 1);
                }
            }
            Event::Apply(object) => apply(&object.key(), Some(&object)),
            Event::Delete(object) => apply(&object.key(), None),
        }
    }
}

/// Seconds since the epoch, for the zone's serial.
fn now() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as u32)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use futures_util::stream;

    use super::*;
    use crate::server::{DnsConfig, DnsServer, Listeners};
    use crate::wire::{Question, Rcode, Rtype};
    use crate::zone::{Answer, Origin, answer};

    fn service(name: &str, address: &str) -> Arc<Service> {
        let mut service = Service::default();
        (service.metadata.namespace, service.metadata.name) = ("ns".to_owned(), name.to_owned());
        (service.spec.kind, service.spec.cluster_ip) = ("ClusterIP".to_owned(), address.to_owned());
        Arc::new(service)
    }

    #[tokio::test]
    async fn lists_replace_and_events_change() {
        let handle = DnsServer::new(DnsConfig::cluster("c.l").unwrap(), Listeners::default()).handle();
        handle.update(|zone| {
            zone.apply(&ObjectKey::cluster("ns"), Change::Namespace(Some(&Namespace::default())), 1);
            zone.set_synced();
        });
        let known = |names: &[&str]| -> String {
            let known = |name: &&&str| {
                let question = Question::new(format!("{name}.ns.svc.c.l").parse().unwrap(), Rtype::A);
                let from = Origin { client: [127, 0, 0, 1].into(), local: None };
                let answer = handle.update(|zone| answer(zone, &question, &from));
                matches!(answer, Answer::Reply(Rcode::NOERROR, _))
            };
            names.iter().filter(known).copied().collect::<Vec<_>>().join(" ")
        };
        let waiting = watch::Sender::new(2);
        let all = ["a", "b", "c"];
        let (a, b, c) = (service("a", "10.0.0.1"), service("b", "10.0.0.2"), service("c", "10.0.0.3"));
        let run = async |events: Vec<Event<Service>>| {
            follow(stream::iter(events), &handle, &waiting).await;
        };
        run(vec![Event::Init, Event::InitApply(a.clone()), Event::InitApply(b.clone()), Event::InitDone])
            .await;
        assert_eq!((known(&all), *waiting.borrow()), ("a b".to_owned(), 1));
        run(vec![Event::Apply(c.clone()), Event::Delete(a.clone())]).await;
        assert_eq!(known(&all), "b c");
        // A list begun anew counts from its second start; until it is done nothing is dropped.
        run(vec![Event::Init, Event::InitApply(b), Event::Init, Event::InitApply(a)]).await;
        assert_eq!(known(&all), "a b c");
        run(vec![Event::Init, Event::InitApply(c), Event::InitDone]).await;
        assert_eq!((known(&all), *waiting.borrow()), ("c".to_owned(), 0));
    }
}
