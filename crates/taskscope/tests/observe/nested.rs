//! Runtimes inside of each other.

use std::future::pending;

use taskscope::observe;

use crate::{builders, dump_of, parked, runtimes, tasks_of, until};

#[test]
fn polls_of_one_runtime_inside_a_task_of_another_are_told_apart() {
    let [inner, outer] = runtimes();
    let (inner_handle, outer_handle) = (inner.handle().clone(), outer.handle().clone());
    let parent = outer.spawn(async move {
        tokio::task::block_in_place(|| {
            inner.block_on(async {
                let inside = tokio::spawn(async { drop(tokio::spawn(pending::<()>())) });
                inside.await.unwrap();
            });
        });
        tokio::spawn(pending::<()>());
        inner
    });
    let id: u64 = parent.id().to_string().parse().unwrap();
    let inner = outer.block_on(parent).unwrap();
    until(&outer, "one is left", || {
        tasks_of(&outer_handle).len() == 1 && tasks_of(&inner_handle).len() == 1
    });
    assert_eq!(tasks_of(&outer_handle)[0].parent, Some(id));
    assert!(tasks_of(&inner_handle)[0].parent.is_some_and(|of| of != id));
    drop(inner);
}

#[test]
fn a_task_spawned_from_another_runtime_is_on_its_own_from_the_first_poll_on() {
    // Two runtimes of the same builder share the hooks.
    for mut builder in builders() {
        observe(&mut builder);
        let [one, other] = [builder.build().unwrap(), builder.build().unwrap()];
        let (future, begins) = parked();
        one.block_on(async { other.handle().spawn(future) });
        other.block_on(begins).unwrap();
        let shown = dump_of(other.handle());
        assert_eq!((shown.tasks.len(), shown.untracked()), (1, 0));
        assert_eq!(tasks_of(one.handle()).len(), 0);
    }
}
