//! Nothing is sampled while sampling is off. In a process of its own: it is one switch for all.
#![cfg(feature = "enable")]
#![allow(missing_docs, reason = "tests")]

use std::time::Duration;

use taskscope::sampling::{self, Report, Row};

fn of_line(report: &Report, line: u32) -> impl Iterator<Item = &Row> {
    report
        .rows
        .iter()
        .filter(move |row| row.site.line() == line)
}

#[test]
fn what_happens_while_sampling_is_off_is_not_in_the_report_and_what_happened_before_stays() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // More polls than a thread lets pass before it looks whether sampling is on.
    let work = || async {
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    runtime.block_on(async {
        taskscope::spawn(work()).await.unwrap();
        let report = sampling::report();
        assert!(!sampling::is_on());
        assert!(report.rows.is_empty(), "{:?}", report.rows);
        assert_eq!(
            (report.sampling_rate, report.sampled),
            ([0, 0], Duration::ZERO)
        );

        assert!(sampling::start());
        taskscope::spawn(work()).await.unwrap();
        let while_on = line!() - 1;
        assert!(sampling::stop());
        assert!(!sampling::stop(), "it was off");
        let before: Vec<_> = of_line(&sampling::report(), while_on)
            .map(|row| (row.activity, row.count, row.time))
            .collect();
        assert!(!before.is_empty());

        taskscope::spawn(work()).await.unwrap();
        let off_again = line!() - 1;
        let report = sampling::report();
        assert_eq!(of_line(&report, off_again).count(), 0);
        let after = of_line(&report, while_on).map(|row| row.count).sum::<u64>();
        assert_eq!(after, before.iter().map(|(_, count, _)| count).sum::<u64>());
        assert_eq!(report.sampling_rate, [0, 0]);
    });
}
