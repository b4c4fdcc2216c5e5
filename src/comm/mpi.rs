//! Ranks as MPI processes. All calls are made by one thread, the communication thread.
//!
//! Nobody spins: a transfer begins with a word from the one who receives, and until it comes, tests alternate with naps,
//! so that a rank that waits leaves its core to those that work. Once both are there the data move without a pause.

use std::os::raw::{c_int, c_void};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mpi::environment::Universe;
use mpi::ffi;
use mpi::raw::AsRaw;
use mpi::request;
use mpi::topology::{Process, SimpleCommunicator};
use mpi::traits::{Communicator as _, Destination, Equivalence, Source};

use super::alarm::{self, Alarm};
use super::flight::Flight;
use super::{Communicator, Library, Work};
use crate::exit::Exit;

/// Name and version of the MPI library, in one line; known before MPI is initialised.
pub fn library_version() -> String {
    let version = mpi::environment::library_version().unwrap_or_default();
    let version = version.trim_matches(|sign: char| sign.is_whitespace() || sign == '\0');
    let line = version.lines().next().unwrap_or_default().split(", package").next().unwrap_or_default();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// MPI counts are C ints; longer transfers go in pieces of this many elements.
const PIECE: usize = 1 << 28;

/// Between two looks at something that is not there yet.
const NAP: Duration = Duration::from_micros(50);

/// Tests without a nap when something may be there soon: a nap of the system is longer than what was asked for.
const GLANCE: Duration = Duration::from_micros(300);

/// Tags of messages.
const DATA: c_int = 0;
const READY: c_int = 1;
const WORD: c_int = 2;

/// What a word begins with.
const ALARM: u8 = 0;
const QUESTION: u8 = 1;
const ANSWER: u8 = 2;

/// The ranks that the MPI launcher started.
pub struct Mpi {
    world: SimpleCommunicator,
    flight: Arc<Flight>,
    /// What the library grants of the threads that were asked for.
    level: mpi::Threading,
    // Finalises MPI when dropped, after everything else.
    _universe: Universe,
}

impl Mpi {
    /// Whether a launcher started this process. The rank itself is MPI's word.
    pub fn is_launched() -> bool {
        // Every launcher tells its processes about themselves in one of these ways.
        let launched = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMI_RANK", "PMIX_RANK", "MPI_LOCALRANKID", "PALS_RANKID"];
        launched.iter().any(|name| std::env::var_os(name).is_some())
    }

    /// Starts MPI on this thread, which then makes all its calls. Operations are recorded in `flight`.
    pub fn start(flight: Arc<Flight>) -> Self {
        let (universe, level) =
            mpi::initialize_with_threading(mpi::Threading::Funneled).expect("MPI is started once a process");
        assert!(level >= mpi::Threading::Funneled, "MPI grants thread level {level:?}, expected Funneled or more");
        alarm::listen();
        Self { world: universe.world(), flight, level, _universe: universe }
    }

    fn process(&self, rank: usize) -> Process<'_> {
        self.world.process_at_rank(rank as i32)
    }

    /// Tests `over` until it is: without a nap for the time `haste`, then with.
    fn wait(&self, haste: Duration, mut over: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !over() {
            if begun.elapsed() < haste {
                std::thread::yield_now(); // to the other side, if it shares the core
            } else {
                self.attend();
                std::thread::sleep(NAP);
            }
        }
    }

    /// Waits until `peer` has come to the same transfer.
    fn meet(&self, peer: usize) {
        let process = self.process(peer);
        process.send_with_tag(&[0_u8; 0], READY); // too short to wait for anybody
        self.wait(GLANCE, || process.immediate_probe_with_tag(READY).is_some());
        process.receive_into_with_tag(&mut [0_u8; 0], READY);
    }

    /// Sends and receives, in pieces, with a peer that was met.
    fn flow<T: Equivalence>(&self, peer: usize, outgoing: &[T], incoming: &mut [T]) {
        let process = self.process(peer);
        // Both halves of an odd length differ by one; pieces are cut so that both sides make as many calls.
        let pieces = outgoing.len().max(incoming.len()).div_ceil(PIECE);
        for piece in 0..pieces {
            let cut = |length: usize| piece * length / pieces..(piece + 1) * length / pieces;
            let (give, take) = (&outgoing[cut(outgoing.len())], cut(incoming.len()));
            let take = &mut incoming[take];
            // Half a gigabyte a second and a start: slower wires lose nothing by a nap.
            let bytes = size_of_val(give) + size_of_val(take);
            let haste = Duration::from_millis(1) + Duration::from_nanos(2 * bytes as u64);
            request::scope(|scope| {
                let receive = (!take.is_empty()).then(|| process.immediate_receive_into_with_tag(scope, take, DATA));
                let send = (!give.is_empty()).then(|| process.immediate_send_with_tag(scope, give, DATA));
                let mut under_way = [receive, send];
                self.wait(haste, || {
                    for request in &mut under_way {
                        *request = request.take().and_then(|request| request.test().err());
                    }
                    under_way.iter().all(Option::is_none)
                });
            });
        }
    }

    /// A transfer as the record of operations tells it.
    fn recorded<T>(&self, peer: usize, what: String, transfer: impl FnOnce() -> T) -> T {
        self.flight.begin(peer, what);
        let result = transfer();
        self.flight.end();
        result
    }

    /// Tells all other ranks why this one ends, then ends the job.
    fn sound(&self, alarm: &Alarm) -> ! {
        alarm::leave_anyway(alarm.exit);
        let word = (alarm.exit as u8, alarm.speaker, &alarm.cause);
        let message = [&[ALARM], in_bytes(&word).as_slice()].concat();
        request::scope(|scope| {
            for rank in self.others() {
                let request = self.process(rank).immediate_send_with_tag(scope, message.as_slice(), WORD);
                std::mem::forget(request); // the job ends with whatever is still under way
            }
            self.end_after_grace(alarm.exit)
        })
    }

    /// Ends the job once the ranks have said their last words.
    fn end_after_grace(&self, exit: Exit) -> ! {
        let begun = Instant::now();
        while begun.elapsed() < alarm::GRACE {
            self.process(self.rank()).immediate_probe_with_tag(WORD); // any call moves what is under way
            std::thread::sleep(NAP);
        }
        self.world.abort(exit as i32)
    }

    fn others(&self) -> impl Iterator<Item = usize> {
        let me = self.rank();
        (0..self.ranks()).filter(move |&rank| rank != me)
    }

    /// A word of rank `from` that has nothing to do with what this rank is at.
    fn heed(&self, from: usize, word: &[u8]) {
        match word.split_first() {
            Some((&QUESTION, _)) => {
                self.flight.inquiry.note_question(from);
                let answer = [&[ANSWER], in_bytes(&self.flight.standing()).as_slice()].concat();
                self.process(from).send_with_tag(answer.as_slice(), WORD); // too short to wait for anybody
            }
            Some((&ANSWER, standing)) => {
                let standing = postcard::from_bytes(standing).expect("ranks run the same program");
                self.flight.inquiry.note_answer(from, standing);
            }
            Some((&ALARM, alarm)) => {
                let (exit, speaker, cause): (u8, usize, String) =
                    postcard::from_bytes(alarm).expect("ranks run the same program");
                let exit = Exit::from_code(exit);
                alarm::leave_anyway(exit);
                alarm::speak(&Alarm { cause: format!("rank {from}: {cause}"), exit, speaker });
                self.end_after_grace(exit);
            }
            Some(_) | None => unreachable!("a word begins with what it is"),
        }
    }
}

fn in_bytes(word: &impl serde::Serialize) -> Vec<u8> {
    postcard::to_stdvec(word).expect("words are bytes")
}

impl Communicator for Mpi {
    fn rank(&self) -> usize {
        self.world.rank() as usize
    }

    fn ranks(&self) -> usize {
        self.world.size() as usize
    }

    fn send(&self, to: usize, values: &[f32]) {
        self.recorded(to, format!("send to rank {to}, {} numbers", values.len()), || {
            self.meet(to);
            self.flow(to, values, &mut []);
        });
    }

    fn receive(&self, from: usize, values: &mut [f32]) {
        self.recorded(from, format!("receive from rank {from}, {} numbers", values.len()), || {
            self.meet(from);
            self.flow(from, &[], values);
        });
    }

    fn exchange(&self, peer: usize, outgoing: &[f32], incoming: &mut [f32]) {
        let what = format!("exchange with rank {peer}, {} numbers for {}", outgoing.len(), incoming.len());
        self.recorded(peer, what, || {
            self.meet(peer);
            self.flow(peer, outgoing, incoming);
        });
    }

    fn send_bytes(&self, to: usize, message: &[u8]) {
        self.recorded(to, format!("send to rank {to}, {} bytes", message.len()), || {
            self.meet(to);
            self.flow(to, &(message.len() as u64).to_le_bytes(), &mut []);
            self.flow(to, message, &mut []);
        });
    }

    fn receive_bytes(&self, from: usize) -> Vec<u8> {
        self.recorded(from, format!("receive a message from rank {from}"), || {
            self.meet(from);
            let mut length = [0; 8];
            self.flow(from, &[], &mut length);
            let mut message = vec![0; u64::from_le_bytes(length) as usize];
            self.flow(from, &[], &mut message);
            message
        })
    }

    fn post(&self, label: &str, work: Work<'static>) {
        self.flight.label(label);
        work(self);
    }

    /// Looks whether a rank has sounded the alarm, and then ends with it; asks the others, and answers them.
    fn attend(&self) {
        if let Some(alarm) = alarm::raised() {
            self.sound(&alarm);
        }
        if self.flight.inquiry.take_question() {
            for rank in self.others() {
                self.process(rank).send_with_tag(&[QUESTION], WORD);
            }
        }
        let anybody = self.world.any_process();
        while anybody.immediate_probe_with_tag(WORD).is_some() {
            let (word, status) = anybody.receive_vec_with_tag::<u8>(WORD);
            self.heed(status.source_rank() as usize, &word);
        }
    }

    fn library(&self) -> Option<Library> {
        Some(Library { version: library_version(), threads: format!("{:?}", self.level).to_lowercase() })
    }

    fn library_sum(&self, values: &mut [f32]) -> bool {
        // A cast of the library's own header, which bindings cannot read: Open MPI's, or that of MPICH and its kin.
        let open_mpi = mpi::environment::library_version().is_ok_and(|version| version.contains("Open MPI"));
        let in_place = if open_mpi { 1_usize } else { usize::MAX } as *const c_void;
        let count = c_int::try_from(values.len()).expect("one call sums as many");
        #[expect(unsafe_code, reason = "the safe layer cannot sum in place")]
        // SAFETY: `values` has `count` numbers of the stated type, and all ranks make this call.
        unsafe {
            let (numbers, sum) = (f32::equivalent_datatype().as_raw(), ffi::RSMPI_SUM);
            ffi::MPI_Allreduce(in_place, values.as_mut_ptr().cast(), count, numbers, sum, self.world.as_raw());
        }
        true
    }
}
