//! The communication thread does what it is told, in order, while the rank goes on.

use std::sync::mpsc::channel;

use skyforge::comm::tree::TreeSum;
use skyforge::comm::{Communicator, Courier, First, Solo, start};

#[test]
fn a_courier_is_the_rank_that_its_wire_is() {
    assert_eq!(Courier::run(3, |comm| (comm.rank(), comm.ranks())), [(0, 3), (1, 3), (2, 3)]);
}

#[test]
fn every_call_goes_through() {
    for ranks in 1..=5 {
        let words: Vec<Vec<u8>> = (0..ranks).map(|rank| vec![rank as u8; rank]).collect();
        for (told, all, values) in Courier::run(ranks, |comm| {
            let told = comm.broadcast(if comm.rank() == 0 { b"word" } else { b"" });
            let all = comm.gather(&vec![comm.rank() as u8; comm.rank()]);
            let (next, before) = ((comm.rank() + 1) % ranks, (comm.rank() + ranks - 1) % ranks);
            let mut values = [comm.rank() as f32; 3];
            if ranks > 1 {
                comm.send(next, &values);
                comm.receive(before, &mut values);
            }
            (told, all, values[2] as usize == before)
        }) {
            assert_eq!((told.as_slice(), &all), (b"word".as_slice(), &words));
            assert!(values, "a ring of {ranks} passes on");
        }
    }
}

#[test]
fn the_first_ranks_are_a_world_of_their_own() {
    let told = Courier::run(5, |comm| {
        let heard = First::of(comm, 3).map(|first| {
            let mut values = [1.0 + first.rank() as f32];
            let mut sum = TreeSum::new(first.rank(), first.ranks(), 4);
            for leaf in sum.run() {
                let mut value = if leaf == sum.run().start { values } else { [0.0] };
                sum.add(&mut value);
                values = value;
            }
            let summed = start(&first, "a sum", move |wire| {
                sum.all_reduce(wire, &mut values);
                (wire.ranks(), values[0])
            });
            (first.gather(&[first.rank() as u8]), summed.wait())
        });
        (heard, comm.gather(&[]).len())
    });
    for (rank, (heard, all)) in told.into_iter().enumerate() {
        assert_eq!(all, 5, "the whole world goes on afterwards");
        assert_eq!(heard, (rank < 3).then(|| (vec![vec![0], vec![1], vec![2]], (3, 6.0))));
    }
}

#[test]
fn a_rank_goes_on_while_its_sum_is_under_way() {
    // Rank 0 waits for a word of rank 1 that comes only after both have started their sums.
    let (tell, told) = channel();
    let told = std::sync::Mutex::new(Some(told));
    let sums = Courier::run(2, |comm| {
        let mut sum = TreeSum::new(comm.rank(), 2, 2);
        let mut values = vec![comm.rank() as f32 + 1.0; 1000];
        sum.add(&mut values);
        let hold = (comm.rank() == 0).then(|| told.lock().expect("whole").take().expect("there is one"));
        let pending = start(comm, "a sum", move |wire| {
            if let Some(hold) = hold {
                hold.recv().expect("a word"); // the sum cannot begin before the rank has gone on
            }
            sum.all_reduce(wire, &mut values);
            values
        });
        if comm.rank() == 0 {
            tell.send(()).expect("heard");
        }
        pending.wait()
    });
    assert_eq!(sums, [vec![3.0_f32; 1000], vec![3.0; 1000]]);
}

#[test]
fn work_is_done_in_the_order_it_was_asked_for() {
    let courier = Courier::start(|_| Solo);
    let (tell, told) = channel();
    for number in 0..100 {
        let tell = tell.clone();
        courier.post("count", Box::new(move |_| tell.send(number).expect("heard")));
    }
    drop((courier, tell)); // waits for what was asked for
    assert_eq!(told.iter().collect::<Vec<i32>>(), (0..100).collect::<Vec<_>>());
}

#[test]
#[should_panic(expected = "the communication thread does its work")]
fn a_panic_of_the_thread_is_one_of_the_rank() {
    let courier = Courier::start(|_| Solo);
    start(&courier, "a fault", |_| panic!("of the wire")).wait();
}
