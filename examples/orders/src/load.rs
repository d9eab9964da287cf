//! The built-in load: real requests over loopback, paced by wall time.
//!
//! A few workers share the requests: request number `k` is due `k / rate` seconds after the start,
//! whether or not earlier ones were slow. A worker that is late catches up, for a while beyond the
//! end if need be. As many requests as there are workers are the most that can be under way.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::BoxError;
use axum::body::Bytes;
use axum::http::{Response, StatusCode};
use orders::Client;
use serde_json::{Value, json};
use taskscope::JoinHandle;
use tokio::runtime::Handle;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::console::say;

/// Requests that can be under way at the same time.
const WORKERS: u32 = 32;

/// How long after the end requests that are late may still be sent. What is left then was more than
/// this machine can do.
const OVERTIME: Duration = Duration::from_secs(5);

/// A request without an answer for this long is an error.
const PATIENCE: Duration = Duration::from_secs(10);

/// Real articles of the price list.
const ARTICLES: [&str; 4] = ["teapot", "amber-lantern", "walnut-clock", "ivory-tray"];

/// How much load for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Requests a second.
    pub(crate) rate: u32,
    pub(crate) seconds: u32,
}

impl Plan {
    fn requests(self) -> u64 {
        u64::from(self.rate) * u64::from(self.seconds)
    }

    /// When the last late request may be sent, after the start.
    fn end(self) -> Duration {
        Duration::from_secs(self.seconds.into()) + OVERTIME
    }

    /// When a request is due, after the start.
    fn due(self, request: u64) -> Duration {
        Duration::from_secs_f64(request as f64 / f64::from(self.rate))
    }
}

/// Counts of the requests so far.
#[derive(Debug, Default)]
struct Tally {
    /// Requests that have been answered or have failed.
    sent: AtomicU64,
    errors: AtomicU64,
    last_error: Mutex<Option<String>>,
}

impl Tally {
    fn count<T>(&self, outcome: Result<T, BoxError>) -> Option<T> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        outcome.map_err(|error| self.count_error(&error)).ok()
    }

    fn count_error(&self, error: &BoxError) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        let mut last = self
            .last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *last = Some(error.to_string());
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sent = self.sent.load(Ordering::Relaxed);
        let errors = self.errors.load(Ordering::Relaxed);
        let tasks = Handle::current().metrics().num_alive_tasks();
        write!(
            f,
            "requests {sent:>6}   errors {errors:>4}   live tasks {tasks:>6}"
        )?;
        let last = self
            .last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some(error) => write!(f, "   last error: {error}"),
            None => Ok(()),
        }
    }
}

/// Sends all requests of a plan, with a line on the console every second.
pub(crate) async fn run(client: Client, plan: Plan, stop: CancellationToken) {
    let Plan { rate, seconds } = plan;
    say(format_args!("load: {rate} requests/s for {seconds} s"));
    let tally = Arc::new(Tally::default());
    let start = Instant::now();
    let workers: Vec<_> = (0..WORKERS.min(rate))
        .map(|first| {
            let worker = send_share(client.clone(), plan, start, first, tally.clone());
            taskscope::background(
                "load-worker",
                stop.clone().run_until_cancelled_owned(worker),
            )
        })
        .collect();
    drop(client);
    show_progress(workers, start, &tally).await;
    if stop.is_cancelled() {
        return;
    }
    say(format_args!("load: done   {tally}   still serving"));
    let unsent = plan.requests() - tally.sent.load(Ordering::Relaxed);
    if unsent > 0 {
        say(format_args!(
            "load: {unsent} requests were not sent, {rate} a second are too many for this machine"
        ));
    }
}

async fn show_progress<T>(workers: Vec<JoinHandle<T>>, start: Instant, tally: &Tally) {
    let second = Duration::from_secs(1);
    let mut ticks = interval_at(start + second, second);
    // A line that is late is shown once, not caught up with.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    for mut worker in workers {
        loop {
            tokio::select! {
                _ = &mut worker => break,
                _ = ticks.tick() => {
                    say(format_args!("{:>5} s   {tally}", start.elapsed().as_secs()));
                }
            }
        }
    }
}

/// One worker's share of the requests: places an order and looks at it, in turns.
async fn send_share(client: Client, plan: Plan, start: Instant, first: u32, tally: Arc<Tally>) {
    let mut placed = None;
    for request in (u64::from(first)..plan.requests()).step_by(WORKERS.min(plan.rate) as usize) {
        sleep_until(start + plan.due(request)).await;
        if start.elapsed() > plan.end() {
            return;
        }
        placed = match placed {
            None => tally.count(in_time(place_order(&client, request)).await),
            Some(id) => {
                tally.count(in_time(show_order(&client, id)).await);
                None
            }
        };
    }
}

async fn in_time<T>(request: impl Future<Output = Result<T, BoxError>>) -> Result<T, BoxError> {
    match timeout(PATIENCE, request).await {
        Ok(outcome) => outcome,
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs()).into()),
    }
}

/// The id of the new order.
async fn place_order(client: &Client, request: u64) -> Result<u64, BoxError> {
    let lines: Vec<Value> = ARTICLES
        .iter()
        .zip(request..)
        .map(|(sku, number)| json!({ "sku": sku, "quantity": 1 + number % 12 }))
        .collect();
    let order = json!({ "customer": format!("customer-{}", request % 100), "lines": lines });
    let answer = client.post("/orders", order.to_string()).await?;
    let order: Value = expect(&answer, StatusCode::CREATED)?;
    order["id"]
        .as_u64()
        .ok_or_else(|| "an order without an id".into())
}

async fn show_order(client: &Client, id: u64) -> Result<(), BoxError> {
    let answer = client.get(&format!("/orders/{id}")).await?;
    let order: Value = expect(&answer, StatusCode::OK)?;
    if order["id"] == id {
        Ok(())
    } else {
        Err(format!("asked for order {id}, got another").into())
    }
}

fn expect(answer: &Response<Bytes>, status: StatusCode) -> Result<Value, BoxError> {
    if answer.status() == status {
        Ok(serde_json::from_slice(answer.body())?)
    } else {
        Err(format!("status {}", answer.status()).into())
    }
}
