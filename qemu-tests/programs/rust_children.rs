// SPDX-License-Identifier: Apache-2.0
// qemu-tests/programs/rust_children.rs - Rust's std::process: children from many threads, pipes, statuses, signals, exec.
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

fn many() {
    let threads: Vec<_> = (0..12)
        .map(|i| {
            thread::spawn(move || {
                let out = Command::new("/bin/sh").arg("-c").arg(format!("echo child {i}; exit {i}")).output().unwrap();
                format!("{} status {:?}", String::from_utf8_lossy(&out.stdout).trim(), out.status.code())
            })
        })
        .collect();
    for thread in threads {
        println!("{}", thread.join().unwrap());
    }
}

fn pipes() {
    let mut sort = Command::new("/bin/sort").arg("-r").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = sort.stdin.take().unwrap();
    let writer = thread::spawn(move || {
        for i in 0..2000 {
            writeln!(input, "{:05}", i * 7919 % 2000).unwrap();
        }
    });
    let lines: Vec<String> = BufReader::new(sort.stdout.take().unwrap()).lines().map(|line| line.unwrap()).collect();
    writer.join().unwrap();
    println!("sorted {} {} {} {:?}", lines.len(), lines[0], lines[1999], sort.wait().unwrap().code());
    let mut seq = Command::new("/bin/seq").args(["1", "1000"]).stdout(Stdio::piped()).spawn().unwrap();
    let counted = Command::new("/bin/wc").arg("-l").stdin(seq.stdout.take().unwrap()).output().unwrap();
    println!("counted {} {:?}", String::from_utf8_lossy(&counted.stdout).trim(), seq.wait().unwrap().code());
    let both = Command::new("/bin/sh").args(["-c", "echo out; echo err >&2"]).output().unwrap();
    print!("{}{}", String::from_utf8_lossy(&both.stdout), String::from_utf8_lossy(&both.stderr));
}

fn ends() {
    let mut sleeper = Command::new("/bin/sleep").arg("600").spawn().unwrap();
    println!("running: {}", sleeper.try_wait().unwrap().is_none());
    sleeper.kill().unwrap();
    println!("signal {:?}", sleeper.wait().unwrap().signal());
    let trapped = Command::new("/bin/sh").args(["-c", "trap 'exit 5' TERM; kill -TERM $$; sleep 600"]).status().unwrap();
    println!("trapped {:?}", trapped.code());
    let dead = Command::new("/bin/sh").args(["-c", "kill -USR2 $$"]).status().unwrap();
    println!("killed {:?} core {}", dead.signal(), dead.core_dumped());
    println!("none: {:?}", Command::new("/bin/none").spawn().unwrap_err().kind());
    let mut asked = Command::new("/bin/sh");
    asked.args(["-c", "id -u; id -g; pwd; echo $ONLY"]).env_clear().env("ONLY", "this").env("PATH", "/bin").current_dir("/tmp");
    let out = asked.uid(1000).gid(1001).output().unwrap();
    print!("{}", String::from_utf8_lossy(&out.stdout));
    // With code of ours between fork and exec: no posix_spawn.
    let mut before = Command::new("/bin/cat");
    unsafe { before.pre_exec(|| std::env::set_current_dir("/etc")) };
    let out = before.arg("word").output().unwrap();
    print!("{}", String::from_utf8_lossy(&out.stdout));
}

fn main() {
    many();
    pipes();
    ends();
    let busy: Vec<_> = (0..3)
        .map(|_| thread::spawn(|| (0..20).map(|_| Command::new("/bin/true").status().unwrap().success()).filter(|ok| *ok).count()))
        .collect();
    thread::sleep(Duration::from_millis(5));
    println!("{:?}", busy.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>());
    let mut me = String::new();
    std::fs::File::open("/proc/self/comm").unwrap().read_to_string(&mut me).unwrap();
    print!("{me}");
    panic!("{}", Command::new("/bin/sh").args(["-c", "echo exec $0; exit 9"]).exec());
}
