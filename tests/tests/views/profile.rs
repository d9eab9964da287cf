//! Tasks as samples of a profile.

use taskprof::profile::{Frame, LabelValue, Sample};
use taskscope::DumpOptions;

use crate::shop::shop;

fn names(sample: &Sample) -> Vec<&str> {
    let mut names = Vec::new();
    for frame in &sample.stack {
        names.push(match frame {
            Frame::Named { name, .. } => name.as_ref(),
            Frame::Address(_) => "(address)",
        });
    }
    names
}

#[test]
fn the_profile_has_one_sample_for_tasks_that_are_alike() {
    shop();
    let dump = DumpOptions::new().capture_blocking();
    let profile = taskprof::tasks::profile(&dump);
    assert_eq!(profile.total(0), 21);
    assert_eq!(profile.comments.len(), 3, "{:?}", profile.comments);
    let label = |sample: &Sample, key: &str| {
        sample
            .labels
            .iter()
            .find(|label| label.key == key)
            .map(|label| match &label.value {
                LabelValue::Str(text) => text.to_string(),
                LabelValue::Num { value, .. } => value.to_string(),
            })
    };
    let named = |name: &str| {
        let mut samples = profile
            .samples
            .iter()
            .filter(|sample| label(sample, "name").as_deref() == Some(name));
        let sample = samples.next().unwrap();
        assert!(samples.next().is_none(), "two samples for {name}");
        sample
    };
    let courier = named("courier");
    assert_eq!(courier.values, [3]);
    assert_eq!(label(courier, "scope").as_deref(), Some("POST /orders"));
    assert_eq!(label(courier, "verdict").as_deref(), Some("cancel ignored"));
    assert_eq!(label(courier, "wait").as_deref(), Some("oneshot recv"));
    assert_eq!(label(courier, "background"), None);
    assert!(
        names(courier)[0].contains("oneshot::Receiver"),
        "leaf first: {:?}",
        names(courier)
    );
    let root = *names(courier).last().unwrap();
    assert!(
        root.starts_with("spawned at ") && root.contains("views/shop.rs:"),
        "{root}"
    );
    assert_eq!(label(named("packer"), "background").as_deref(), Some("yes"));

    // Branches: what they share, and a leaf that counts them.
    let clerk = names(named("clerk"));
    assert_eq!(clerk[0], "(2 branches: notify | sleep)");
    assert!(
        clerk[1].contains("views::shop::serve_the_counter"),
        "the innermost that both share: {clerk:?}"
    );
    assert!(
        !clerk
            .iter()
            .any(|name| name.contains("Notified") || name.contains("Sleep")),
        "{clerk:?}"
    );
    // Without a trace: why, and the type of the future.
    let lost = names(named("lost"));
    assert!(
        lost[0].starts_with("(no stack: it took no waker") && lost[1].contains("Pending"),
        "{lost:?}"
    );
}
