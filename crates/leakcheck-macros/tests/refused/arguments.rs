#[leakcheck::test]
async fn arguments(_number: u32) {}
