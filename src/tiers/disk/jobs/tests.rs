//! How jobs wait for their turn, are given up and refused.

use std::sync::{RwLock, mpsc};

use futures_util::FutureExt;

use super::*;
use crate::metrics::Metrics;

fn jobs() -> Jobs {
    counted().0
}

fn counted() -> (Jobs, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::new().unwrap());
    let jobs = Jobs::new(Arc::new(Faults::new(Arc::clone(&metrics))));
    (jobs, metrics)
}

#[tokio::test]
async fn jobs_whose_askers_are_not_polled_hold_back_nobody() {
    let jobs = jobs();
    let held = jobs.hold();
    let mut stalled: Vec<_> = (0..2 * DISK_JOBS)
        .map(|_| Box::pin(jobs.run(|| ())))
        .collect();
    for asker in &mut stalled {
        assert!(asker.as_mut().now_or_never().is_none());
    }
    drop(held);
    assert_eq!(jobs.run(|| 7).await.unwrap(), 7);
    drop(stalled);
}

#[tokio::test]
async fn a_job_nobody_waits_for_any_more_does_not_begin() {
    let jobs = jobs();
    let held = jobs.hold();
    let (begun, mut has_begun) = oneshot::channel();
    assert!(jobs.run(move || begun.send(())).now_or_never().is_none());
    drop(held);
    jobs.run(|| ()).await.unwrap();
    assert!(has_begun.try_recv().is_err());
}

#[tokio::test]
async fn a_job_nobody_waits_for_any_more_holds_nothing() {
    let jobs = jobs();
    let _held = jobs.hold();
    let body = Arc::new([7_u8; 4096]);
    let held = Arc::clone(&body);
    assert!(jobs.run(move || held.len()).now_or_never().is_none());
    assert_eq!(Arc::strong_count(&body), 1);
    assert_eq!(jobs.number().1, 1, "its place waits on");
}

#[tokio::test]
async fn a_job_that_panics_leaves_its_thread_to_the_next() {
    let jobs = jobs();
    for _ in 0..2 * DISK_JOBS {
        jobs.run(|| panic!("on purpose")).await.unwrap_err();
    }
    assert_eq!(jobs.run(|| 7).await.unwrap(), 7);
}

#[tokio::test]
async fn too_many_waiting_jobs_are_refused_but_those_that_must_run() {
    let jobs = jobs();
    let held = jobs.hold();
    let mut waiting: Vec<_> = (0..MOST_WAITING)
        .map(|_| Box::pin(jobs.run(|| ())))
        .collect();
    for job in &mut waiting {
        assert!(job.as_mut().now_or_never().is_none());
    }
    jobs.run(|| ()).await.unwrap_err();
    let mut sure = Box::pin(jobs.run_surely(|| 7));
    assert!(sure.as_mut().now_or_never().is_none());
    drop(held);
    assert_eq!(sure.await.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_does_not_answer_is_not_waited_for() {
    let (jobs, metrics) = counted();
    let _held = jobs.hold();
    let late = jobs.run_within(|| ()).await.unwrap_err();
    assert_eq!(late.kind(), io::ErrorKind::TimedOut);
    let late = jobs.run_patiently(|| ()).await.unwrap_err();
    assert_eq!(late.kind(), io::ErrorKind::TimedOut);
    assert!(!jobs.faults.is_off());
    jobs.run_surely(|| ()).await.unwrap_err();
    assert!(jobs.faults.is_off(), "nobody waits any more");
    let faults = metrics.disk.faults(DiskFault::Slow);
    jobs.run_within(|| ()).await.unwrap_err();
    let more = metrics.disk.faults(DiskFault::Slow) - faults;
    assert_eq!(more, 0, "no news to the log");
}

#[tokio::test]
async fn of_jobs_that_nobody_waits_for_no_more_wait_than_may() {
    let jobs = Jobs::bounded(1, 2, jobs().faults);
    let held = jobs.hold();
    let run = Arc::new(Lock::new(Rank::Jobs, Vec::new()));
    for number in 0..4 {
        let run = Arc::clone(&run);
        jobs.run_if_room(move || run.lock().push(number));
    }
    drop(held);
    jobs.run_surely(|| ()).await.unwrap();
    assert_eq!(*run.lock(), [0, 1]);
}

#[tokio::test]
async fn fills_land_one_after_the_other_until_many_wait() {
    let jobs = Jobs::of_landings(jobs().faults);
    let (gate, (begun, has_begun)) = (Arc::new(RwLock::new(())), mpsc::channel());
    let shut = gate.write().unwrap();
    let land = || {
        let (gate, begun) = (Arc::clone(&gate), begun.clone());
        jobs.run_aside(move || {
            begun.send(()).unwrap();
            drop(gate.read());
        });
    };
    land();
    has_begun.recv().unwrap();
    (0..IN_TURN).for_each(|_| land());
    assert_eq!(jobs.number(), (1, IN_TURN));
    land();
    assert_eq!(jobs.number().0, 2);
    drop(shut);
}
