//! The interface is the same with the feature `enable` as without it: the file that `tests/disabled` compiles without.

#[path = "../disabled/src/api.rs"]
mod api;

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_interface_works() {
    drop(api::is_send());
    api::everything().await;
}
