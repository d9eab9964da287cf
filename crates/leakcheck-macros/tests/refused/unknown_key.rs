#[leakcheck::test(flavour = "multi_thread")]
async fn unknown_key() {}
