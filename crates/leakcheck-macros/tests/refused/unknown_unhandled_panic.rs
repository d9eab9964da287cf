#[leakcheck::test(unhandled_panic = "abort")]
async fn unknown_unhandled_panic() {}
