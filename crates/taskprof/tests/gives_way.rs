//! What the threads that make answers leave to the application.
//!
//! The process's threads are looked at, so this is the only test of its binary.
#![cfg(target_os = "linux")]
#![allow(missing_docs, reason = "tests")]

use std::fs;

/// The nice value of the thread of this name, if there is one.
fn nice(name: &str) -> Option<i32> {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let mut stats =
        threads.filter_map(|thread| fs::read_to_string(thread.unwrap().path().join("stat")).ok());
    let wanted = format!("({name})");
    stats
        .find(|stat| stat.contains(&wanted))
        .map(|stat| nice_of(&stat))
}

fn nice_of(stat: &str) -> i32 {
    // The third field stands behind the name.
    let fields = &stat[stat.rfind(')').unwrap() + 2..];
    fields.split(' ').nth(19 - 3).unwrap().parse().unwrap()
}

#[tokio::test]
async fn who_asks_alone_is_answered_by_a_thread_that_gives_way_a_little_and_a_crowd_by_one_that_gives_way_to_all()
 {
    let own = nice_of(&fs::read_to_string("/proc/self/stat").unwrap());
    for _ in 0..3 {
        taskprof::tasks().capture().await.unwrap();
    }
    assert_eq!(nice("taskprof-work"), Some((own + 5).min(19)));
    assert_eq!(nice("taskprof-crowd"), None);

    // Whether those who ask together also wait together is up to the system.
    for _ in 0..1000 {
        let crowd = [(); 50].map(|()| tokio::spawn(taskprof::tasks().capture()));
        for one in crowd {
            one.await.unwrap().unwrap();
        }
        if nice("taskprof-crowd").is_some() {
            break;
        }
    }
    assert_eq!(nice("taskprof-crowd"), Some((own + 13).min(19)));
    assert_eq!(nice("taskprof-work"), Some((own + 5).min(19)));
}
