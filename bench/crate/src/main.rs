//! `crate-peer COUNTER SERVICE FOLDER PROGRAM FIFO`: the crate's side of ../crate.c. Words come on
//! stdin, one byte each; answers are 64-bit numbers on stdout, times in nanoseconds of
//! CLOCK_MONOTONIC. It measures what a client of the crate would call and nothing around it.

use procref::{PlatformRefCounter, RefCounter, ServiceHandle, ServiceInfo, SharedService};
use std::future::Future;
use std::io::{Read, Write};
use std::pin::pin;
use std::process::Command;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

const PAIRS: usize = 1000;

struct Nobody;

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {}
}

/// What the crate awaits here is ready at once, so no runtime is needed, and none is measured.
fn ready<T>(waker: &Waker, future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(waker)) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the crate waits where nothing should make it wait"),
    }
}

fn now_ns() -> i64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as i64 * 1_000_000_000 + now.tv_nsec as i64
}

fn answer(value: i64) {
    let mut out = std::io::stdout().lock();
    out.write_all(&value.to_ne_bytes()).and_then(|()| out.flush()).expect("the bench has gone");
}

fn open(name: &str, folder: &str, program: String, fifo: String) -> SharedService {
    SharedService::builder(name)
        .base_dir(folder)
        .on_first_acquire(move || {
            let child = Command::new(&program).arg(&fifo).spawn().expect("the service");
            std::future::ready(Ok(ServiceInfo::with_pid(child.id())))
        })
        .on_last_release(|_| std::future::ready(Ok(()))) // without it the crate stops nothing
        .build()
        .expect("build")
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, counter_name, name, folder, program, fifo] = &arguments[..] else {
        panic!("crate-peer COUNTER SERVICE FOLDER PROGRAM FIFO");
    };
    let waker = Waker::from(Arc::new(Nobody));
    let open = || open(name, folder, program.clone(), fifo.clone());
    let (mut service, mut counter): (Option<SharedService>, Option<PlatformRefCounter>) = (None, None);
    let mut held: Option<ServiceHandle> = None;

    std::io::stdout().write_all(b"r").and_then(|()| std::io::stdout().flush()).expect("the bench has gone");
    let mut word = [0u8];
    while matches!(std::io::stdin().read(&mut word), Ok(1)) {
        match word[0] {
            b'a' => {
                let begin = now_ns();
                let handle = ready(&waker, service.insert(open()).acquire()).expect("acquire");
                answer(now_ns() - begin);
                answer(handle.pid().into());
                held = Some(handle);
            }
            b'r' => {
                let begin = now_ns();
                drop(held.take());
                let took = now_ns() - begin;
                answer(begin);
                answer(took);
            }
            b's' => {
                let service = service.get_or_insert_with(open);
                let begin = now_ns();
                for _ in 0..PAIRS {
                    drop(ready(&waker, service.acquire()).expect("acquire"));
                }
                answer(now_ns() - begin);
            }
            b'C' => {
                let counter = counter.insert(PlatformRefCounter::new(counter_name).expect("counter"));
                answer(counter.acquire().expect("acquire").into());
            }
            b'c' => {
                let counter = counter
                    .get_or_insert_with(|| PlatformRefCounter::new(counter_name).expect("counter"));
                let begin = now_ns();
                for _ in 0..PAIRS {
                    counter.acquire().expect("acquire");
                    counter.release().expect("release");
                }
                answer(now_ns() - begin);
            }
            other => panic!("unknown word {other}"),
        }
    }
}
