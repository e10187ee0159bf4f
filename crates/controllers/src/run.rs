//! The loop around the engine: watches feed it, its jobs become requests.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use jiff::Timestamp;
use portway_api::Object;
use portway_client::{Client, Event, Gvr, ListOptions};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::controller::Controller;
use crate::engine::{Backoff, Engine, Job, JobId, Now, Report};
use crate::execute::execute;
use crate::snapshot::{Input, Snapshot};

/// News taken in before jobs get a chance.
const BATCH: usize = 1024;
/// Jobs under way at once.
const JOBS: usize = 64;
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(5), max: Duration::from_secs(60) };

/// Runs controllers until `shutdown`, with the metadata of the kinds `others` besides those known by type. Only while `leading` says so do they act, but the caches are always warm.
pub async fn run(
    client: Client,
    controllers: Vec<Box<dyn Controller>>,
    others: Vec<Gvr>,
    mut leading: watch::Receiver<bool>,
    shutdown: impl Future<Output = ()>,
) {
    tokio::pin!(shutdown);
    // Dropping the sets ends the tasks in them.
    let mut watches = JoinSet::new();
    let mut jobs: JoinSet<(JobId, Report)> = JoinSet::new();
    let mut news = start_watches(&client, &others, &mut watches);
    let mut engine = Engine::new(Snapshot::with_others(others), controllers, BACKOFF);
    let mut clients: BTreeMap<&'static str, Client> = BTreeMap::new();
    let start = Instant::now();
    let now = || Now { since_start: start.elapsed(), wall: Timestamp::now() };
    let mut may_lead = true;

    loop {
        for _ in 0..BATCH {
            let Ok(input) = news.try_recv() else { break };
            engine.input(input, now());
        }
        while let Some(Ok((id, report))) = jobs.try_join_next() {
            engine.done(&id, report, now(), fastrand::f64());
        }
        let active = *leading.borrow_and_update();
        while active && jobs.len() < JOBS {
            let Some(job) = engine.next(now(), fastrand::f64) else { break };
            let named = clients.entry(job.controller).or_insert_with(|| client.named(job.controller)).clone();
            jobs.spawn(carry_out(named, job));
        }
        let deadline = if active && jobs.len() < JOBS { engine.deadline() } else { None };
        let sleep = async {
            match deadline {
                Some(at) => tokio::time::sleep_until((start + at).into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = &mut shutdown => return,
            Some(input) = news.recv() => engine.input(input, now()),
            Some(Ok((id, report))) = jobs.join_next(), if !jobs.is_empty() => {
                engine.done(&id, report, now(), fastrand::f64());
            }
            changed = leading.changed(), if may_lead => may_lead = changed.is_ok(),
            () = sleep => {}
        }
    }
}

async fn carry_out(client: Client, job: Job) -> (JobId, Report) {
    let report = execute(&client, job.controller, &job.plan).await;
    (job.id, report)
}

fn start_watches(client: &Client, others: &[Gvr], tasks: &mut JoinSet<()>) -> mpsc::Receiver<Input> {
    let (sender, news) = mpsc::channel(BATCH);
    let all = ListOptions::default;
    let to = &sender;
    follow(client, all(), Input::Service, to, tasks);
    follow(client, all(), Input::Endpoints, to, tasks);
    follow(client, all(), Input::Slice, to, tasks);
    follow(client, all(), Input::Pod, to, tasks);
    follow(client, all(), Input::Node, to, tasks);
    follow(client, all(), Input::Namespace, to, tasks);
    follow(client, all(), Input::Deployment, to, tasks);
    follow(client, all(), Input::ReplicaSet, to, tasks);
    follow(client, all(), Input::ServiceAccount, to, tasks);
    let root_cas = all().with_fields(format!("metadata.name={}", crate::service_account::ROOT_CA));
    follow(client, root_cas, Input::RootCa, to, tasks);
    follow(client, all(), Input::Lease, to, tasks);
    for resource in others {
        let mut events = client.watch_metadata(resource.clone(), all());
        let (resource, sender) = (resource.clone(), sender.clone());
        tasks.spawn(async move {
            while let Some(event) = events.next().await {
                if sender.send(Input::Other(resource.clone(), event)).await.is_err() {
                    return;
                }
            }
        });
    }
    news
}

fn follow<T: Object>(
    client: &Client,
    options: ListOptions,
    input: fn(Event<T>) -> Input,
    sender: &mpsc::Sender<Input>,
    tasks: &mut JoinSet<()>,
) {
    let mut events = client.watch::<T>(options);
    let sender = sender.clone();
    tasks.spawn(async move {
        while let Some(event) = events.next().await {
            if sender.send(input(event)).await.is_err() {
                return;
            }
        }
    });
}
