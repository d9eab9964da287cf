#[leakcheck::test(flavor = "many_threads")]
async fn unknown_flavor() {}
