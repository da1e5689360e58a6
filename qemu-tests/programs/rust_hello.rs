// SPDX-License-Identifier: Apache-2.0
// qemu-tests/programs/rust_hello.rs - Rust's standard library: threads, channels, time, environment, a caught panic.
use std::collections::HashMap;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

fn main() {
    // The usual message names the thread's number, which differs from run to run.
    std::panic::set_hook(Box::new(|_| eprintln!("panicked")));
    let (sender, receiver) = mpsc::channel();
    let workers: Vec<_> = (0..4u64)
        .map(|index| {
            let sender = sender.clone();
            thread::spawn(move || sender.send((1..=1000 * (index + 1)).sum::<u64>()).unwrap())
        })
        .collect();
    drop(sender);
    for worker in workers {
        worker.join().unwrap();
    }
    let mut sums: Vec<u64> = receiver.iter().collect();
    sums.sort_unstable();
    println!("sums: {sums:?}");

    let start = Instant::now();
    thread::sleep(Duration::from_millis(5));
    println!("slept: {}", start.elapsed() >= Duration::from_millis(5));

    let counts: HashMap<char, usize> = "caisson".chars().fold(HashMap::new(), |mut map, c| {
        *map.entry(c).or_default() += 1;
        map
    });
    println!("s: {}", counts[&'s']);
    println!("mode: {}", std::env::var("MODE").unwrap_or_default());
    let caught = thread::spawn(|| panic!("on purpose")).join();
    println!("caught: {}", caught.is_err());
    std::process::exit(3);
}
