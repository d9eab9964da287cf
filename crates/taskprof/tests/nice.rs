//! Threads that make answers have a higher nice value than the application's.
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
async fn threads_that_make_answers_have_a_nice_value_that_is_5_above_the_programs_however_many_ask()
{
    let own = nice_of(&fs::read_to_string("/proc/self/stat").unwrap());
    let askers = [(); 50].map(|()| tokio::spawn(taskprof::tasks().capture()));
    for asker in askers {
        asker.await.unwrap().unwrap();
    }
    assert_eq!(nice("taskprof-work"), Some((own + 5).min(19)));
}
