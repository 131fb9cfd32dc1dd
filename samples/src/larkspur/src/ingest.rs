//! Takes in log lines on threads of their own.

use std::thread;

use crate::reporter;

/// One log line, taken apart.
#[derive(Debug)]
pub struct LogLine<'a> {
    pub level: &'a str,
    pub message: &'a str,
}

/// Take a line apart at its first colon.
pub fn parse(line: &str) -> Option<LogLine<'_>> {
    let (level, message) = line.split_once(": ")?;
    Some(LogLine { level, message })
}

#[inline(never)]
fn ingest_line(line: &str) -> usize {
    let parsed = parse(line).expect("every line has a level");
    parsed.level.len() + parsed.message.len()
}

/// Take in lines on a second thread; one of them has no level, so that thread panics.
#[inline(never)]
pub fn ingest_on_worker() {
    let lines = ["info: started", "warning: disk is 91 % full", "stack trace follows"];
    let worker = thread::Builder::new()
        .name("ingest-worker-1".to_owned())
        .spawn(move || lines.iter().map(|line| ingest_line(std::hint::black_box(line))).sum::<usize>())
        .expect("a thread can be started");
    // A thread that panics ends the process, so this never sees an error.
    std::hint::black_box(worker.join().unwrap_or_default());
}

/// Reserve room for as many bytes as a damaged header says: the allocation fails and the process aborts.
#[inline(never)]
pub fn reserve_for_damaged_header() {
    let bytes_in_header: usize = std::hint::black_box(1 << 46);
    reporter::annotate("OOMAllocationSize", &bytes_in_header.to_string());
    std::hint::black_box(read_batch(bytes_in_header));
}

#[inline(never)]
fn read_batch(bytes: usize) -> Vec<u8> {
    Vec::with_capacity(bytes)
}
