//! The interface is the same with the feature `enable` as without it: the file that `tests/disabled` compiles without.

#[expect(
    unreachable_pub,
    clippy::let_underscore_future,
    clippy::type_complexity,
    reason = "it is a list of signatures, and public where it is compiled without the feature"
)]
#[path = "../disabled/src/api.rs"]
mod api;

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_interface_works() {
    drop(api::is_send());
    api::everything().await;
}
