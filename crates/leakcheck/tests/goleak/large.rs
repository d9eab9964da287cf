//! `AllLargeStack`: 101 tasks, each 101 functions deep, are complete: every task is counted, and
//! every frame is there.

use std::pin::Pin;

use tokio::sync::watch;

use crate::support::{found, hasty, is_clean};

const TASKS: usize = 101;
const DEPTH: usize = 101;

type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;

fn descend(levels: usize, mut told: watch::Receiver<bool>) -> Boxed {
    Box::pin(async move {
        if levels == 1 {
            let _ = told.wait_for(|told| *told).await;
        } else {
            descend(levels - 1, told).await;
        }
    })
}

#[tokio::test]
async fn a_large_dump_is_complete() {
    let (tell, told) = watch::channel(false);
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| taskscope::spawn(descend(DEPTH, told.clone())))
        .collect();
    let leaks = found(hasty()).await;
    assert_eq!((leaks.count(), leaks.untracked()), (TASKS, 0));
    let headline = format!("leakcheck: {TASKS} tasks are still alive");
    assert!(leaks.to_string().starts_with(&headline));
    for task in &leaks.dump().tasks {
        let trace = task.trace.as_ref().unwrap_or_else(|why| panic!("{why}"));
        assert_eq!((task.branches_dropped, task.branches_cut), (0, 0));
        assert_eq!(trace.branches().len(), 1);
        let own = |name: &str| name.contains("goleak::large::descend");
        let frames = &trace.branches()[0].frames;
        assert_eq!(
            frames.iter().filter(|frame| own(&frame.function)).count(),
            DEPTH
        );
        assert_eq!(trace.wait_reason().to_string(), "watch changed");
    }
    tell.send_replace(true);
    for task in tasks {
        task.await.expect("it ends without a panic");
    }
    assert!(is_clean(hasty()).await);
}
