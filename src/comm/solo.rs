//! A world of one rank.

use super::{Communicator, Work};

/// The only rank. It has nobody to send to.
#[derive(Debug, Default)]
pub struct Solo;

impl Communicator for Solo {
    fn rank(&self) -> usize {
        0
    }

    fn ranks(&self) -> usize {
        1
    }

    fn send(&self, _: usize, _: &[f32]) {
        unreachable!("a rank alone sends nothing")
    }

    fn receive(&self, _: usize, _: &mut [f32]) {
        unreachable!("a rank alone receives nothing")
    }

    fn exchange(&self, _: usize, _: &[f32], _: &mut [f32]) {
        unreachable!("a rank alone exchanges nothing")
    }

    fn send_bytes(&self, _: usize, _: &[u8]) {
        unreachable!("a rank alone sends nothing")
    }

    fn receive_bytes(&self, _: usize) -> Vec<u8> {
        unreachable!("a rank alone receives nothing")
    }

    fn post(&self, _: &str, work: Work<'static>) {
        work(self);
    }
}
