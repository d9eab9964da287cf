#[leakcheck::test(flavor = "multi_thread", unhandled_panic = "shutdown_runtime")]
async fn unhandled_panic_of_workers() {}
