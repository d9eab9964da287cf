//! A pool is empty: the dump names who holds its permits, since when, and what the holder waits
//! for.
//!
//! ```text
//! cargo run -p taskscope --example who_holds_it
//! ```
#![allow(clippy::print_stdout, reason = "an example shows its result")]

use std::sync::Arc;
use std::time::Duration;

use taskscope::Tracked;
use tokio::sync::Semaphore;

#[tokio::main]
async fn main() {
    let pool = Arc::new(Semaphore::new(2));

    drop(taskscope::spawn_named("report", build_report(pool.clone())));
    drop(taskscope::spawn_named("import", import(pool.clone())));
    tokio::time::sleep(Duration::from_millis(300)).await;

    // A third task would wait for ever.
    println!("connections left in the pool: {}", pool.available_permits());

    let dump = taskscope::dump().await;
    for held in &dump.resources {
        println!("{} taken at {}, {:.1?} ago", held.kind, held.site, held.age);
        let Some(holder) = &held.last_used_by else {
            println!("  no task has used it");
            continue;
        };
        println!(
            "  held by {}",
            holder.name.as_deref().unwrap_or("a task without a name")
        );
        if let Some(task) = dump.tasks.iter().find(|task| task.id == holder.task) {
            println!("  which waits for {}", task.wait_reason());
        }
    }
}

/// Takes a connection, which dumps show until it is dropped.
async fn connection(pool: Arc<Semaphore>) -> Option<Tracked<tokio::sync::OwnedSemaphorePermit>> {
    let permit = pool.acquire_owned().await.ok()?;
    Some(Tracked::new("connection", permit))
}

/// Holds its connection while it waits for something else: the mistake.
async fn build_report(pool: Arc<Semaphore>) {
    let connection = connection(pool).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    drop(connection);
}

/// Waits for an answer that never comes.
async fn import(pool: Arc<Semaphore>) {
    let connection = connection(pool).await;
    std::future::pending::<()>().await;
    drop(connection);
}
