//! A deadline, three levels deep: every task below learns of it; one that does not listen is named.
//!
//! ```text
//! cargo run -p taskscope --example deadline
//! ```
#![allow(clippy::print_stdout, reason = "an example shows its result")]

use std::time::Duration;

use taskscope::{Builder, Scope, Token};

#[tokio::main]
async fn main() {
    let request = Scope::new("GET /prices").timeout(Duration::from_millis(500));
    let lookup = request.child("look up").timeout(Duration::from_secs(10));
    let query = lookup.child("query");

    // A child can only shorten a deadline: the ten seconds of `look up` do not count.
    if let Some(left) = query.to_ref().remaining() {
        println!("the query has {left:.1?} left");
    }

    let token = query.token();
    query.spawn(async move {
        token.cancelled().await;
        println!("the query stops: {}", why(&token));
    });
    // The mistake: this one never looks at its token.
    let retry_task = Builder::new().name("retry").scope(&query);
    drop(retry_task.spawn(retry()));

    let token = request.token();
    token.cancelled().await;
    let Err(survivors) = request.finish(Duration::from_millis(200)).await else {
        println!("nothing is left");
        return;
    };
    println!("{survivors}");
    for task in &survivors.dump().tasks {
        let name = task.name.as_deref().unwrap_or("a task without a name");
        println!("  {name}: {}, spawned at {}", task.verdict, task.site);
    }
}

/// Says which scope was cancelled, and for what reason.
fn why(token: &Token) -> String {
    match token.scope().and_then(|scope| scope.cancellation()) {
        Some(cancelled) => cancelled.to_string(),
        None => "cancelled".to_owned(),
    }
}

async fn retry() {
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
