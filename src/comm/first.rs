//! The first ranks of a world, as a world of their own.

use super::{Communicator, Work};

/// A rank among the first of a larger world. The others take no part.
pub struct First<'a> {
    whole: &'a dyn Communicator,
    ranks: usize,
}

impl<'a> First<'a> {
    /// The world of the first `ranks` ranks of `whole`; nothing on the other ranks.
    pub fn of(whole: &'a dyn Communicator, ranks: usize) -> Option<Self> {
        (whole.rank() < ranks.min(whole.ranks())).then_some(Self { whole, ranks })
    }
}

impl Communicator for First<'_> {
    fn rank(&self) -> usize {
        self.whole.rank()
    }

    fn ranks(&self) -> usize {
        self.ranks
    }

    fn send(&self, to: usize, values: &[f32]) {
        self.whole.send(to, values);
    }

    fn receive(&self, from: usize, values: &mut [f32]) {
        self.whole.receive(from, values);
    }

    fn exchange(&self, peer: usize, outgoing: &[f32], incoming: &mut [f32]) {
        self.whole.exchange(peer, outgoing, incoming);
    }

    fn send_bytes(&self, to: usize, message: &[u8]) {
        self.whole.send_bytes(to, message);
    }

    fn receive_bytes(&self, from: usize) -> Vec<u8> {
        self.whole.receive_bytes(from)
    }

    fn post(&self, label: &str, work: Work<'static>) {
        let ranks = self.ranks;
        self.whole.post(label, Box::new(move |whole| work(&First { whole, ranks })));
    }
}
