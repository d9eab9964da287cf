#[leakcheck::test]
fn not_async() {}
