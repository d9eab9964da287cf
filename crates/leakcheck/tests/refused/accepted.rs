//! The control: everything that it takes. (Outside of `cargo test` the tests themselves are left out; `tests/attribute.rs` has them.)

fn shared() -> &'static tokio::runtime::Runtime {
    Box::leak(Box::new(tokio::runtime::Runtime::new().unwrap()))
}

#[leakcheck::test]
async fn plain() {}

#[leakcheck::test(
    flavor = "multi_thread",
    worker_threads = 2,
    options = leakcheck::Options::new(),
    settle(std::time::Duration::ZERO),
    ignore_name("pool", "belongs to the fixture"),
    threads(),
    descriptors()
)]
async fn with_everything() -> Result<(), std::io::Error> {
    Ok(())
}

#[leakcheck::test(flavor = "current_thread", start_paused = true, crate = "leakcheck")]
#[should_panic]
async fn paused() {}

#[leakcheck::test(flavor = "local", start_paused = true, name = "of one test")]
async fn local() {}

#[leakcheck::test(runtime = shared())]
async fn on_a_given_runtime() {}

fn main() {}
