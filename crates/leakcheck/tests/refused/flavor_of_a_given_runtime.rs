fn shared() -> &'static tokio::runtime::Runtime {
    Box::leak(Box::new(tokio::runtime::Runtime::new().unwrap()))
}

#[leakcheck::test(runtime = shared(), flavor = "multi_thread")]
async fn flavor_of_a_given_runtime() {}

fn main() {}
