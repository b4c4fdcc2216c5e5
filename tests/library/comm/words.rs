//! Messages and agreement.

use skyforge::comm::{Communicator, Disagreement, Solo, There, Threads, agree};
use skyforge::exit::{Ends, Exit};

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

#[derive(Debug, thiserror::Error)]
#[error("no disk")]
struct NoDisk;

impl Ends for NoDisk {
    fn exit(&self) -> Exit {
        Exit::FileSystem
    }
}

#[test]
fn the_failure_of_one_rank_is_the_failure_of_all_with_the_same_end() {
    for guilty in 0..3 {
        let results = Threads::run(3, |comm| agree(comm, if comm.rank() == guilty { Err(NoDisk) } else { Ok(7) }));
        for (rank, result) in results.into_iter().enumerate() {
            match result {
                Err(Disagreement::Here(error)) => assert_eq!((rank, error.exit()), (guilty, Exit::FileSystem)),
                Err(Disagreement::There(there)) => {
                    let expected = There { rank: guilty, message: "no disk".into(), exit: Exit::FileSystem };
                    assert!(rank != guilty && there == expected);
                }
                Ok(_) => panic!("rank {rank} went on"),
            }
        }
    }
}

#[test]
fn agreement_costs_nothing_where_all_is_well() {
    assert_eq!(agree::<_, NoDisk>(&Solo, Ok(3)).expect("all is well"), 3);
    assert!(Threads::run(4, |comm| agree::<_, NoDisk>(comm, Ok(comm.rank())).is_ok()).into_iter().all(|well| well));
}

#[test]
fn exit_codes_survive_the_way_over_ranks() {
    let all = [Exit::Done, Exit::Usage, Exit::Data, Exit::Hardware, Exit::Internal, Exit::FileSystem, Exit::Stopped];
    for exit in all {
        assert_eq!(Exit::from_code(exit as u8), exit);
    }
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
