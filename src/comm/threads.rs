//! Ranks as threads of one process: what the tests of ranks run on, without `mpirun`.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{Communicator, Work};

enum Message {
    Values(Vec<f32>),
    Bytes(Vec<u8>),
}

#[derive(Default)]
struct Post {
    /// Messages under way, by (from, to).
    boxes: HashMap<(usize, usize), VecDeque<Message>>,
    /// Ranks that ended, in whatever way.
    gone: Vec<usize>,
}

#[derive(Default)]
struct Office {
    post: Mutex<Post>,
    news: Condvar,
}

/// One rank of a world of threads.
pub struct Threads {
    rank: usize,
    ranks: usize,
    office: Arc<Office>,
}

impl Threads {
    /// A world of `ranks` ranks: hand one to each thread.
    pub fn world(ranks: usize) -> Vec<Self> {
        let office = Arc::new(Office::default());
        (0..ranks).map(|rank| Self { rank, ranks, office: Arc::clone(&office) }).collect()
    }

    /// Runs `body` once a rank, each on its own thread, and gives what they return, in rank order.
    /// A panic of any rank is passed on when all have ended.
    pub fn run<T: Send>(ranks: usize, body: impl Fn(&Self) -> T + Sync) -> Vec<T> {
        std::thread::scope(|scope| {
            let body = &body;
            let handles: Vec<_> = Self::world(ranks).into_iter().map(|comm| scope.spawn(move || body(&comm))).collect();
            let results: Vec<_> = handles.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
            results.into_iter().map(|result| result.unwrap_or_else(|cause| std::panic::resume_unwind(cause))).collect()
        })
    }

    fn open_office(&self) -> MutexGuard<'_, Post> {
        // A rank that panics while it holds the lock is reported through `gone`.
        self.office.post.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, to: usize, message: Message) {
        self.open_office().boxes.entry((self.rank, to)).or_default().push_back(message);
        self.office.news.notify_all();
    }

    fn take(&self, from: usize) -> Message {
        let mut post = self.open_office();
        loop {
            if let Some(message) = post.boxes.get_mut(&(from, self.rank)).and_then(VecDeque::pop_front) {
                return message;
            }
            assert!(!post.gone.contains(&from), "rank {from} ended while rank {} waited for it", self.rank);
            post = self.office.news.wait(post).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.open_office().gone.push(self.rank);
        self.office.news.notify_all();
    }
}

impl Communicator for Threads {
    fn rank(&self) -> usize {
        self.rank
    }

    fn ranks(&self) -> usize {
        self.ranks
    }

    fn send(&self, to: usize, values: &[f32]) {
        self.put(to, Message::Values(values.to_vec()));
    }

    fn receive(&self, from: usize, values: &mut [f32]) {
        match self.take(from) {
            Message::Values(sent) => values.copy_from_slice(&sent),
            Message::Bytes(_) => panic!("rank {} wanted values of rank {from} and got bytes", self.rank),
        }
    }

    fn exchange(&self, peer: usize, outgoing: &[f32], incoming: &mut [f32]) {
        self.send(peer, outgoing);
        self.receive(peer, incoming);
    }

    fn send_bytes(&self, to: usize, message: &[u8]) {
        self.put(to, Message::Bytes(message.to_vec()));
    }

    fn receive_bytes(&self, from: usize) -> Vec<u8> {
        match self.take(from) {
            Message::Bytes(message) => message,
            Message::Values(_) => panic!("rank {} wanted bytes of rank {from} and got values", self.rank),
        }
    }

    fn post(&self, _: &str, work: Work<'static>) {
        work(self);
    }
}
