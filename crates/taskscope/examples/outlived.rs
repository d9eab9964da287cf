//! A request ends and one of its tasks does not: the dump names the task, the request and the wait.
//!
//! ```text
//! cargo run -p taskscope --example outlived
//! ```
#![allow(clippy::print_stdout, reason = "an example shows its result")]

use std::sync::Arc;
use std::time::Duration;

use taskscope::Scope;
use tokio::sync::Notify;

#[tokio::main]
async fn main() {
    let acknowledged = Arc::new(Notify::new());

    // A layer such as `ScopeLayer` does this for each request.
    let request = Scope::new("POST /orders").label("request_id", "7f3a");
    request
        .run(async {
            // The mistake: nobody keeps the handle, and nobody calls `notify_one`.
            let acknowledged = acknowledged.clone();
            drop(taskscope::spawn_named(
                "audit",
                write_audit_entry(acknowledged),
            ));
        })
        .await;
    drop(request); // The answer has been sent.

    tokio::time::sleep(Duration::from_millis(300)).await;

    let dump = taskscope::dump().await;
    for task in &dump.tasks {
        let name = task.name.as_deref().unwrap_or("a task without a name");
        println!(
            "{name}: {}, waiting for {}",
            task.verdict.name(),
            task.wait_reason()
        );
        println!("  spawned at  {}", task.site);
        if let Some(scope) = &task.scope {
            println!("  scope       {}", scope.name());
            for (key, value) in scope.labels() {
                println!("              {key}={value}");
            }
        }
        if let Some(ended) = task.scope_ended {
            println!("  its scope ended {ended:.1?} ago");
        }
        match &task.trace {
            Ok(trace) => println!("{trace}"),
            Err(why) => println!("  no stack: {why}"),
        }
    }
}

async fn write_audit_entry(acknowledged: Arc<Notify>) {
    wait_for_acknowledgement(&acknowledged).await;
}

async fn wait_for_acknowledgement(acknowledged: &Notify) {
    acknowledged.notified().await;
}
