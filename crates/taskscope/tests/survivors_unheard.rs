//! A thread without a `tracing` subscriber silences nobody else's reports. In a process of its own:
//! what `tracing` remembers of an event is the process's.
#![cfg(feature = "enable")]

#[path = "survivors/log.rs"]
mod log;

use std::time::Duration;

use taskscope::Scope;

use crate::log::{listening, lives};

async fn finish_leaves(name: &'static str) {
    let scope = Scope::new("request");
    lives(&scope, name).await;
    let left = scope.finish(Duration::ZERO).await.unwrap_err();
    assert_eq!(left.dump().tasks.len(), 1);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn who_reports_first_and_to_nobody_silences_no_other_thread() {
    let (log, listening) = listening();
    let unheard = std::thread::spawn(|| {
        let runtime = runtime();
        runtime.block_on(finish_leaves("of finish, unheard"));
        // And what is reported without being asked for: nobody listened when its scope ended.
        runtime.block_on(async {
            let scope = Scope::new("request");
            lives(&scope, "unheard").await;
        });
        runtime
    });
    // Its tasks stay alive.
    let _runtime = unheard.join().unwrap();
    let runtime = runtime();
    runtime.block_on(async {
        finish_leaves("heard").await;
        assert_eq!(log.names(), ["heard"]);
        log.until_all().await;
    });
    assert_eq!(log.names(), ["heard", "fence"]);
    drop(listening);
    // A survivor that ended before there was a subscriber for all is reported to that one.
    runtime.block_on(async {
        let scope = Scope::new("request");
        lives(&scope, "early").await;
        drop(scope);
        let all = log::Log::default();
        tracing::subscriber::set_global_default(all.clone()).unwrap();
        all.until("early").await;
    });
}
