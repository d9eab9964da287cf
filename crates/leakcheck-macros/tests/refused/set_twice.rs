#[leakcheck::test(start_paused = true, start_paused = false)]
async fn set_twice() {}
