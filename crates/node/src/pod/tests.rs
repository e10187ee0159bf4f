//! Lives of Pods under a virtual clock, as lines of what was done when.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use portway_api::types::pod::Pod;
use serde_json::{Value, json};

use super::*;

/// How the runs of a container go: seconds until each ends by itself, and its code. The last one repeats.
type Runs = &'static [(i64, i32)];
/// A run that never ends by itself.
const FOREVER: (i64, i32) = (1_000_000, 0);

struct World {
    pod: Pod,
    seen: Seen,
    start: Timestamp,
    now: i64,
    runs: BTreeMap<&'static str, Runs>,
    /// Containers that do nothing on SIGTERM.
    deaf: Vec<&'static str>,
    /// Seconds a preStop hook takes.
    hook: Option<i64>,
    /// When containers that run will end, and how.
    ends: BTreeMap<String, (i64, i32)>,
    hooks: BTreeMap<String, i64>,
    lines: Vec<String>,
}

impl World {
    fn new(spec: Value, runs: &[(&'static str, Runs)]) -> Self {
        let meta = json!({"name": "p", "namespace": "ns", "uid": "u"});
        let mut spec = spec;
        if spec.get("restartPolicy").is_none() {
            spec["restartPolicy"] = "Always".into();
        }
        Self {
            pod: serde_json::from_value(json!({"metadata": meta, "spec": spec})).unwrap(),
            seen: Seen::default(),
            start: "2026-01-01T00:00:00Z".parse().unwrap(),
            now: 0,
            runs: runs.iter().copied().collect(),
            deaf: Vec::new(),
            hook: None,
            ends: BTreeMap::new(),
            hooks: BTreeMap::new(),
            lines: Vec::new(),
        }
    }

    fn time(&self) -> Timestamp {
        self.start + SignedDuration::from_secs(self.now)
    }

    fn say(&mut self, what: String) {
        self.lines.push(format!("{}:{what}", self.now));
    }

    fn end(&mut self, name: &str, code: i32) {
        self.ends.remove(name);
        self.hooks.remove(name);
        self.say(format!("end({name},{code})"));
        let now = self.time();
        let seen = self.seen.containers.get_mut(name).unwrap();
        let Run::Running(started) = seen.run else { panic!("{name} does not run") };
        seen.ended(Ended { started, finished: now, code, signal: 0, reason: "", message: String::new() });
    }

    fn act(&mut self, action: Action) {
        let now = self.time();
        match action {
            Action::Connect => {
                self.seen.network = Network::Ready(vec!["10.0.0.2".parse().unwrap()]);
                self.say("connect".into());
            }
            Action::Disconnect => {
                self.seen.network = Network::Released(Vec::new());
                self.say("disconnect".into());
            }
            Action::Start(name) => {
                let seen = self.seen.containers.entry(name.clone()).or_default();
                seen.starting();
                (seen.run, seen.started) = (Run::Running(now), true);
                let runs = self.runs.get(name.as_str()).copied().unwrap_or(&[FOREVER]);
                let (lasts, code) = runs[(seen.restarts as usize).min(runs.len() - 1)];
                self.ends.insert(name.clone(), (self.now + lasts, code));
                self.say(format!("start({name})"));
            }
            Action::Stop { container, grace, .. } => {
                self.say(format!("stop({container},{grace})"));
                let stop =
                    Stop { since: now, grace, hook: self.hook.is_some(), terminated: None, killed: false };
                if let Some(hook) = self.hook {
                    self.hooks.insert(container.clone(), self.now + hook);
                }
                self.seen.containers.get_mut(&container).unwrap().stop = Some(stop);
            }
            Action::Terminate(name) => {
                self.say(format!("term({name})"));
                self.seen.containers.get_mut(&name).unwrap().stop.as_mut().unwrap().terminated = Some(now);
                if !self.deaf.contains(&name.as_str()) {
                    self.end(&name, 143);
                }
            }
            Action::Kill(name) => {
                self.say(format!("kill({name})"));
                self.end(&name, 137);
            }
            Action::Finish => self.say("finish".into()),
        }
    }

    /// Lives until `until`, or until the Pod is finished.
    fn live(&mut self, until: i64) {
        loop {
            for _ in 0..100 {
                let step = step(&self.pod, &self.seen, self.time());
                if step.actions.is_empty() {
                    break;
                }
                let finished = step.actions.contains(&Action::Finish);
                step.actions.into_iter().for_each(|action| self.act(action));
                if finished {
                    return;
                }
            }
            let wake = step(&self.pod, &self.seen, self.time()).wake;
            let wake = wake.map(|at| at.duration_since(self.start).as_secs());
            let next =
                self.ends.values().map(|(at, _)| *at).chain(self.hooks.values().copied()).chain(wake).min();
            match next.filter(|next| *next <= until) {
                Some(next) => self.now = next.max(self.now),
                None => {
                    self.now = until;
                    return;
                }
            }
            let over: Vec<_> = self
                .ends
                .iter()
                .filter(|(_, (at, _))| *at <= self.now)
                .map(|(n, (_, c))| (n.clone(), *c))
                .collect();
            over.iter().for_each(|(name, code)| self.end(name, *code));
            for (name, _) in self.hooks.clone().into_iter().filter(|(_, at)| *at <= self.now) {
                self.hooks.remove(&name);
                if let Some(stop) = self.seen.containers.get_mut(&name).and_then(|c| c.stop.as_mut()) {
                    stop.hook = false;
                }
            }
        }
    }

    fn delete(&mut self, grace: i64) {
        self.seen.ending = Some(self.time());
        self.pod.metadata.deletion_grace_period_seconds = Some(grace);
    }

    fn status(&self) -> Value {
        status(&self.pod, &self.seen, &Facts::default(), &[], self.time())
    }

    fn check(&mut self, phase: &str, expect: &str) {
        assert_eq!(self.lines.join(" "), expect, "{:?}", self.pod.spec.restart_policy);
        assert_eq!(self.status()["phase"], phase);
        self.lines.clear();
    }
}

fn one() -> Value {
    json!({"containers": [{"name": "a"}]})
}

#[test]
fn crashes_are_backed_off() {
    let mut world = World::new(one(), &[("a", &[(1, 1)])]);
    world.live(200);
    world.check(
        "Running",
        "0:connect 0:start(a) 1:end(a,1) 1:start(a) 2:end(a,1) 12:start(a) 13:end(a,1) 33:start(a) 34:end(a,1) \
         74:start(a) 75:end(a,1) 155:start(a) 156:end(a,1)",
    );
    let status = world.status();
    let state = &status["containerStatuses"][0]["state"]["waiting"];
    assert_eq!(state["reason"], "CrashLoopBackOff");
    assert_eq!(state["message"], "back-off 2m40s restarting failed container=a pod=p_ns(u)");
    world.live(5000);
    let gaps: Vec<&String> = world.lines.iter().rev().take(2).collect();
    assert_eq!(gaps, ["4832:end(a,1)", "4831:start(a)"].map(str::to_owned).iter().collect::<Vec<_>>());
}

#[test]
fn a_long_run_clears_the_count() {
    let mut world = World::new(one(), &[("a", &[(1, 1), (1, 1), (1, 1), (700, 1), FOREVER])]);
    world.live(2000);
    world.check(
        "Running",
        "0:connect 0:start(a) 1:end(a,1) 1:start(a) 2:end(a,1) 12:start(a) 13:end(a,1) 33:start(a) 733:end(a,1) \
         733:start(a)",
    );
}

#[test]
fn restart_policies() {
    let check = |policy: &str, runs: Runs, phase: &str, expect: &str| {
        let spec = json!({"containers": [{"name": "a"}], "restartPolicy": policy});
        let mut world = World::new(spec, &[("a", runs)]);
        world.live(9);
        world.check(phase, expect);
    };
    check("Never", &[(1, 0)], "Succeeded", "0:connect 0:start(a) 1:end(a,0) 1:disconnect");
    check("Never", &[(1, 5)], "Failed", "0:connect 0:start(a) 1:end(a,5) 1:disconnect");
    check(
        "OnFailure",
        &[(1, 5), (1, 0)],
        "Succeeded",
        "0:connect 0:start(a) 1:end(a,5) 1:start(a) 2:end(a,0) 2:disconnect",
    );
    check("Always", &[(1, 0), FOREVER], "Running", "0:connect 0:start(a) 1:end(a,0) 1:start(a)");
}

#[test]
fn some_containers_end_before_others() {
    let spec = json!({"containers": [{"name": "a"}, {"name": "b"}], "restartPolicy": "Never"});
    let mut world = World::new(spec, &[("a", &[(1, 1)]), ("b", &[(5, 0)])]);
    world.live(3);
    world.check("Running", "0:connect 0:start(a) 0:start(b) 1:end(a,1)");
    world.live(9);
    world.check("Failed", "5:end(b,0) 5:disconnect");
}

#[test]
fn init_containers_run_in_turn() {
    let spec = || json!({"initContainers": [{"name": "i"}, {"name": "j"}], "containers": [{"name": "a"}]});
    let mut world = World::new(spec(), &[("i", &[(2, 0)]), ("j", &[(1, 1), (1, 0)])]);
    world.live(1);
    world.check("Pending", "0:connect 0:start(i)");
    let status = world.status();
    assert_eq!(status["containerStatuses"][0]["state"]["waiting"]["reason"], "PodInitializing");
    assert_eq!(status["conditions"][1]["message"], "containers with incomplete status: [i j]");
    world.live(9);
    world.check("Running", "2:end(i,0) 2:start(j) 3:end(j,1) 3:start(j) 4:end(j,0) 4:start(a)");

    let mut never = spec();
    never["restartPolicy"] = "Never".into();
    let mut world = World::new(never, &[("i", &[(2, 3)])]);
    world.live(9);
    world.check("Failed", "0:connect 0:start(i) 2:end(i,3) 2:disconnect");
}

#[test]
fn sidecars_start_first_and_end_last() {
    let sidecar = |name: &str| json!({"name": name, "restartPolicy": "Always"});
    let spec = json!({"initContainers": [sidecar("s"), {"name": "i"}, sidecar("t")],
        "containers": [{"name": "a"}], "restartPolicy": "Never"});
    let mut world =
        World::new(spec.clone(), &[("i", &[(1, 0)]), ("a", &[(5, 0)]), ("s", &[(3, 1), FOREVER])]);
    world.live(9);
    world.check(
        "Succeeded",
        "0:connect 0:start(s) 0:start(i) 1:end(i,0) 1:start(t) 1:start(a) 3:end(s,1) 3:start(s) 6:end(a,0) \
         6:stop(t,30) 6:term(t) 6:end(t,143) 6:stop(s,30) 6:term(s) 6:end(s,143) 6:disconnect",
    );
    let mut world = World::new(spec, &[("i", &[(1, 0)])]);
    world.live(2);
    world.lines.clear();
    world.delete(10);
    world.live(30);
    world.check(
        "Failed",
        "2:stop(a,10) 2:term(a) 2:end(a,143) 2:stop(t,10) 2:term(t) 2:end(t,143) \
         2:stop(s,10) 2:term(s) 2:end(s,143) 2:disconnect 2:finish",
    );
}

#[test]
fn termination() {
    let check = |deaf: bool, hook: Option<i64>, grace: i64, expect: &str| {
        let mut world = World::new(one(), &[]);
        world.deaf = if deaf { vec!["a"] } else { Vec::new() };
        world.hook = hook;
        world.live(5);
        world.lines.clear();
        world.delete(grace);
        world.live(500);
        world.check("Failed", expect);
    };
    check(false, None, 30, "5:stop(a,30) 5:term(a) 5:end(a,143) 5:disconnect 5:finish");
    check(true, None, 30, "5:stop(a,30) 5:term(a) 35:kill(a) 35:end(a,137) 35:disconnect 35:finish");
    check(true, None, 0, "5:stop(a,1) 5:term(a) 6:kill(a) 6:end(a,137) 6:disconnect 6:finish");
    check(true, Some(4), 10, "5:stop(a,10) 9:term(a) 15:kill(a) 15:end(a,137) 15:disconnect 15:finish");
    // A hook that takes it all leaves SIGTERM two seconds.
    check(true, Some(60), 10, "5:stop(a,10) 15:term(a) 17:kill(a) 17:end(a,137) 17:disconnect 17:finish");
    check(false, Some(60), 10, "5:stop(a,10) 15:term(a) 15:end(a,143) 15:disconnect 15:finish");
}

#[test]
fn a_second_deletion_may_only_be_shorter() {
    let mut world = World::new(one(), &[]);
    world.deaf = vec!["a"];
    world.live(5);
    world.delete(30);
    world.live(7);
    world.pod.metadata.deletion_grace_period_seconds = Some(5);
    world.lines.clear();
    world.live(100);
    world.check("Failed", "10:kill(a) 10:end(a,137) 10:disconnect 10:finish");
}

#[test]
fn what_never_ran_ends_at_once() {
    let mut world = World::new(one(), &[]);
    world.delete(30);
    world.live(5);
    world.check("Failed", "0:finish");
}

#[test]
fn an_unhealthy_container_is_stopped_and_started_again() {
    let mut world = World::new(one(), &[]);
    world.deaf = vec!["a"];
    world.pod.spec.termination_grace_period_seconds = Some(7);
    world.live(5);
    world.lines.clear();
    world.seen.containers.get_mut("a").unwrap().unhealthy = Some(("failed liveness probe".into(), None));
    world.live(20);
    world.check("Running", "5:stop(a,7) 5:term(a) 12:kill(a) 12:end(a,137) 12:start(a)");
    world.seen.containers.get_mut("a").unwrap().unhealthy = Some(("failed liveness probe".into(), Some(2)));
    world.live(40);
    world.check("Running", "20:stop(a,2) 20:term(a) 22:kill(a) 22:end(a,137) 32:start(a)");
}

#[test]
fn refusals_and_network_failures_are_tried_again() {
    let mut world = World::new(one(), &[]);
    world.seen.network = Network::Failed(world.time(), "no".into());
    world.live(6);
    world.check("Running", "5:connect 5:start(a)");

    let mut world = World::new(one(), &[]);
    world.live(0);
    let at = world.time();
    world.seen.containers.get_mut("a").unwrap().run =
        Run::Refused { at, reason: "CreateContainerConfigError", message: "later".into() };
    assert_eq!(world.status()["phase"], "Pending");
    world.live(6);
    world.check("Running", "0:connect 0:start(a) 5:start(a)");
    assert_eq!(world.status()["containerStatuses"][0]["restartCount"], 0);
}

#[test]
fn readiness_and_gates() {
    let spec = json!({"containers": [{"name": "a", "readinessProbe": {}}, {"name": "b"}],
        "readinessGates": [{"conditionType": "x/y"}]});
    let mut world = World::new(spec, &[]);
    world.live(1);
    let ready = |world: &World, index: usize| {
        let condition = &world.status()["conditions"][index];
        let text = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
        format!("{} {} {} {}", text("type"), text("status"), text("reason"), text("message"))
            .trim()
            .to_owned()
    };
    let unready = "False ContainersNotReady containers with unready status: [a]";
    assert_eq!(ready(&world, 2), format!("Ready {unready}"));
    assert_eq!(ready(&world, 3), format!("ContainersReady {unready}"));
    world.seen.containers.get_mut("a").unwrap().ready = true;
    assert_eq!(ready(&world, 3), "ContainersReady True");
    let missing = "corresponding condition of pod readiness gate \"x/y\" does not exist.";
    assert_eq!(ready(&world, 2), format!("Ready False ReadinessGatesNotReady {missing}"));
    let gate = |status: &str| serde_json::from_value(json!([{"type": "x/y", "status": status}])).unwrap();
    world.pod.status.conditions = gate("False");
    assert!(ready(&world, 2).ends_with("is not \"True\", but False"));
    world.pod.status.conditions = gate("True");
    assert_eq!(ready(&world, 2), "Ready True");
}

#[test]
fn transition_times_stay_until_the_status_changes() {
    let mut world = World::new(one(), &[]);
    world.live(1);
    let first = world.status();
    let before: Vec<_> = serde_json::from_value(first["conditions"].clone()).unwrap();
    world.now = 50;
    let time = |status: &Value, index: usize| status["conditions"][index]["lastTransitionTime"].clone();
    let later = status(&world.pod, &world.seen, &Facts::default(), &before, world.time());
    assert_eq!(time(&later, 2), time(&first, 2));
    world.end("a", 1);
    let ended = status(&world.pod, &world.seen, &Facts::default(), &before, world.time());
    assert_eq!((time(&ended, 2), time(&ended, 4)), ("2026-01-01T00:00:50Z".into(), time(&first, 4)));
}
