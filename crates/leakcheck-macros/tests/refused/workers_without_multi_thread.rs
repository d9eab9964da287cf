#[leakcheck::test(worker_threads = 2)]
async fn workers_without_multi_thread() {}
