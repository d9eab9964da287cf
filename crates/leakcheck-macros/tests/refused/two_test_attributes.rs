#[leakcheck::test]
#[core::prelude::v1::test]
async fn two_test_attributes() {}
