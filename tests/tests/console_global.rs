//! The console as an application has it: one subscriber for the process, and a runtime with several
//! workers.
//!
//! Some things are asked of a subscriber only once in a process, and must not be asked of one of
//! taskprof's threads: this is the only test of its binary.
#![cfg(all(feature = "console", tokio_unstable))]

use std::future::pending;
use std::time::Duration;

use console_api::instrument::InstrumentRequest;
use console_api::instrument::instrument_client::InstrumentClient;
use taskprof::console::Options;
use tokio::runtime::Builder;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry;
use tracing_subscriber::util::SubscriberInitExt as _;

#[test]
fn the_first_spawns_of_the_process_may_be_taskprofs_own() {
    let options = Options::new().publish_interval(Duration::from_millis(20));
    let (layer, console) = options.layer().unwrap();
    registry().with(layer).init();
    let server = taskprof::server().console(console);
    let server = server.bind("127.0.0.1:0").unwrap();
    // One answer, so that everything has been used that the server uses.
    let addr = server.local_addr();
    assert_eq!(taskscope_tests::get(addr, "/debug/profile").status, 200);

    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let (tracked, plain) = runtime.block_on(async {
        // On a worker, as most are.
        let spawned = tokio::spawn(async {
            drop(taskscope::spawn(pending::<()>()));
            let tracked = line!() - 1;
            tokio::spawn(pending::<()>());
            (tracked, line!() - 1)
        });
        spawned.await.unwrap()
    });
    let client = Builder::new_current_thread().enable_all().build().unwrap();
    let listed = async {
        let url = format!("http://{addr}");
        let mut client = InstrumentClient::connect(url).await.unwrap();
        let updates = client.watch_updates(InstrumentRequest {}).await;
        let mut updates = updates.unwrap().into_inner();
        let mut lines = Vec::new();
        while !(lines.contains(&tracked) && lines.contains(&plain)) {
            let update = updates.message().await.unwrap().unwrap();
            let tasks = update.task_update.unwrap().new_tasks;
            let here = tasks
                .into_iter()
                .filter_map(|task| task.location)
                .filter(|at| at.file.as_deref().is_some_and(|at| at.ends_with(file!())));
            lines.extend(here.filter_map(|at| at.line));
        }
    };
    client
        .block_on(async { tokio::time::timeout(Duration::from_secs(60), listed).await })
        .unwrap();
    server.shutdown();
}
