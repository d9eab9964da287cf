#[leakcheck::test(runtime = shared(), flavor = "multi_thread")]
async fn flavor_of_a_given_runtime() {}
