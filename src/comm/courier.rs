//! The communication thread: one thread a rank makes all calls of the ranks' library, one after the other, so that a
//! sum over ranks can go on while the rank computes.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::flight::Flight;
use super::{Communicator, Library, Terms, Threads, Watchdog, Work, alarm};
use crate::machine;

/// How often an idle thread looks whether another rank has sounded the alarm.
const IDLE: Duration = Duration::from_millis(100);

struct Job {
    label: String,
    work: Work<'static>,
}

/// A communicator whose calls are made by a thread of its own.
pub struct Courier {
    rank: usize,
    ranks: usize,
    flight: Arc<Flight>,
    /// None when it is closing down.
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Courier {
    /// Starts the thread, which starts the wire and ends it at last: some libraries want one thread for both.
    pub fn start<C: Communicator>(wire: impl FnOnce(Arc<Flight>) -> C + Send + 'static) -> Self {
        let flight = Arc::new(Flight::default());
        let (jobs, queue) = channel::<Job>();
        let (tell, told) = channel();
        let record = Arc::clone(&flight);
        let body = move || {
            let wire = wire(Arc::clone(&record));
            let _ = tell.send((wire.rank(), wire.ranks()));
            let served = catch_unwind(AssertUnwindSafe(|| serve(&wire, &queue, &record)));
            if let Err(cause) = served {
                wire.attend(); // the others are told, and all end
                resume_unwind(cause);
            }
        };
        let thread = std::thread::Builder::new().name(alarm::COMMUNICATION.into()).spawn(body);
        let thread = thread.expect("the system has a thread for communication");
        let (rank, ranks) = told.recv().expect("the ranks' library starts");
        Self { rank, ranks, flight, jobs: Some(jobs), thread: Some(thread) }
    }

    /// As `Threads::run`, with a communication thread for each rank.
    pub fn run<T: Send>(ranks: usize, body: impl Fn(&Self) -> T + Sync) -> Vec<T> {
        std::thread::scope(|scope| {
            let body = &body;
            let start = |comm: Threads| scope.spawn(move || body(&Courier::start(move |_| comm)));
            let handles: Vec<_> = Threads::world(ranks).into_iter().map(start).collect();
            let results: Vec<_> = handles.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
            results.into_iter().map(|result| result.unwrap_or_else(|cause| resume_unwind(cause))).collect()
        })
    }

    /// Does `work` on the thread and waits for it.
    fn call<T: Send>(&self, label: &str, work: impl FnOnce(&dyn Communicator) -> T + Send) -> T {
        let (tell, told) = channel();
        let work: Work = Box::new(move |wire| {
            let _ = tell.send(work(wire));
        });
        #[expect(unsafe_code, reason = "a thread that outlives the call borrows what the caller holds")]
        // SAFETY: the work is done, or dropped undone with its sender, before `recv` returns, and so before anything
        // that it borrows can go.
        let work: Work<'static> = unsafe { std::mem::transmute(work) };
        self.post(label, work);
        told.recv().expect("the communication thread does its work")
    }
}

fn serve(wire: &dyn Communicator, queue: &Receiver<Job>, flight: &Flight) {
    loop {
        match queue.recv_timeout(IDLE) {
            Ok(Job { label, work }) => {
                flight.label(&label);
                work(wire);
            }
            Err(RecvTimeoutError::Timeout) => wire.attend(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // what it panicked with was told where it was waited for
        }
    }
}

impl Communicator for Courier {
    fn rank(&self) -> usize {
        self.rank
    }

    fn ranks(&self) -> usize {
        self.ranks
    }

    fn send(&self, to: usize, values: &[f32]) {
        self.call("values", |wire| wire.send(to, values));
    }

    fn receive(&self, from: usize, values: &mut [f32]) {
        self.call("values", |wire| wire.receive(from, values));
    }

    fn exchange(&self, peer: usize, outgoing: &[f32], incoming: &mut [f32]) {
        self.call("values", |wire| wire.exchange(peer, outgoing, incoming));
    }

    fn send_bytes(&self, to: usize, message: &[u8]) {
        self.call("a message", |wire| wire.send_bytes(to, message));
    }

    fn receive_bytes(&self, from: usize) -> Vec<u8> {
        self.call("a message", |wire| wire.receive_bytes(from))
    }

    fn broadcast(&self, message: &[u8]) -> Vec<u8> {
        self.call("broadcast", |wire| wire.broadcast(message))
    }

    fn gather(&self, message: &[u8]) -> Vec<Vec<u8>> {
        self.call("gather", |wire| wire.gather(message))
    }

    fn library(&self) -> Option<Library> {
        self.call("the library's name", |wire| wire.library())
    }

    fn library_sum(&self, values: &mut [f32]) -> bool {
        self.call("the library's sum", |wire| wire.library_sum(values))
    }

    fn operations(&self) -> u64 {
        self.flight.mark().operations
    }

    fn post(&self, label: &str, work: Work<'static>) {
        let job = Job { label: label.to_owned(), work };
        let jobs = self.jobs.as_ref().expect("it is open until it is dropped");
        jobs.send(job).map_err(drop).expect("the communication thread is there");
    }

    /// The wire must answer when it is asked who is there, as `Mpi` does.
    fn watch(&self, terms: Terms) -> Watchdog {
        let hosts = self.gather(machine::host().as_bytes());
        let hosts = hosts.iter().map(|host| String::from_utf8_lossy(host).into_owned()).collect();
        Watchdog::start(Arc::clone(&self.flight), self.rank, hosts, terms)
    }
}
