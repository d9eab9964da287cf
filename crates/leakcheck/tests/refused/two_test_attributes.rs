#[leakcheck::test]
#[tokio::test]
async fn two_test_attributes() {}

fn main() {}
