//! Messages and agreement.

use skyforge::comm::{Communicator, Disagreement, Solo, Threads, agree};

#[test]
fn everybody_hears_rank_0() {
    for ranks in 1..=7 {
        let heard = Threads::run(ranks, |comm| comm.broadcast(if comm.rank() == 0 { b"word" } else { b"" }));
        assert!(heard.iter().all(|word| word == b"word"), "{ranks} ranks");
    }
}

#[test]
fn everybody_hears_everybody_in_rank_order() {
    for ranks in 1..=6 {
        let heard = Threads::run(ranks, |comm| comm.gather(&vec![comm.rank() as u8; comm.rank()]));
        let expected: Vec<Vec<u8>> = (0..ranks).map(|rank| vec![rank as u8; rank]).collect();
        assert!(heard.iter().all(|all| *all == expected), "{ranks} ranks");
    }
}

#[test]
fn the_failure_of_one_rank_is_the_failure_of_all() {
    let results = Threads::run(3, |comm| {
        let mine: Result<u8, String> = if comm.rank() == 1 { Err("no disk".into()) } else { Ok(7) };
        agree(comm, mine)
    });
    assert!(matches!(&results[1], Err(Disagreement::Here(error)) if error == "no disk"));
    for rank in [0, 2] {
        assert!(matches!(&results[rank], Err(Disagreement::There { rank: 1, message }) if message == "no disk"));
    }
}

#[test]
fn agreement_costs_nothing_where_all_is_well() {
    assert_eq!(agree::<_, String>(&Solo, Ok(3)).expect("all is well"), 3);
    assert!(Threads::run(4, |comm| agree::<_, String>(comm, Ok(comm.rank())).is_ok()).into_iter().all(|well| well));
}

#[test]
fn a_rank_that_panics_wakes_those_who_wait_for_it() {
    let result = std::panic::catch_unwind(|| {
        Threads::run(2, |comm| {
            assert_ne!(comm.rank(), 1, "rank 1 breaks");
            comm.receive_bytes(1)
        })
    });
    assert!(result.is_err());
}
