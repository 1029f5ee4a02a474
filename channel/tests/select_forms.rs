//! Every form that `select!` can be written in.

use std::collections::VecDeque;
use std::convert::Infallible;

use pirn_channel::{bounded, never, select, unbounded, RecvError};

fn run<F: std::future::Future>(future: F) -> F::Output {
    smol::block_on(future)
}

#[test]
fn a_ready_receive_wins() {
    run(async {
        let (tx, rx) = bounded(1);
        tx.try_send(5).unwrap();
        let got = select! { v = rx.recv() => v, _ = never::<()>().recv() => Err(RecvError) };
        assert_eq!(got, Ok(5));
    });
}

#[test]
fn blocks_need_no_comma_and_control_flow_leaves_the_arm() {
    fn ask(flag: u32) -> Result<u32, RecvError> {
        run(async {
            let (tx, rx) = unbounded();
            for i in 0..10 {
                tx.try_send(i).unwrap();
            }
            let mut sum = 0;
            let outcome = 'outer: loop {
                select! {
                    v = rx.recv() => {
                        let v = v?;
                        if v == 3 { continue; }
                        if v == 7 { break 0; }
                        if v == flag { break 'outer 1000; }
                        sum += v;
                    }
                    _ = never::<()>().recv() => return Err(RecvError),
                    _ = std::future::pending::<()>() => unreachable!()
                }
                #[allow(unreachable_code)]
                if sum > 10_000 {
                    return Ok(0);
                }
            };
            Ok(sum + outcome)
        })
    }
    fn broken() -> u32 {
        run(async {
            let (tx, rx) = unbounded();
            tx.try_send(1).unwrap();
            drop(tx);
            let mut sum = 0;
            loop {
                select! {
                    Ok(v) = rx.recv() => sum += v,
                    default => break,
                }
            }
            sum
        })
    }
    assert_eq!(ask(2), Ok(1 + 1000));
    assert_eq!(broken(), 1);
}

#[test]
fn guards_switch_branches_off_and_their_operands_are_not_evaluated() {
    run(async {
        let (tx, rx) = bounded::<u32>(1);
        tx.try_send(1).unwrap();
        let nothing: Option<pirn_channel::Receiver<u32>> = None;
        for _ in 0..50 {
            let v = select! {
                _ = nothing.as_ref().unwrap().recv(), if nothing.is_some() => unreachable!(),
                v = rx.recv(), if true => v.unwrap(),
            };
            assert_eq!(v, 1);
            tx.try_send(1).unwrap();
        }
    });
}

#[test]
fn temporaries_live_as_long_as_the_select_behind_a_guard_too() {
    fn fresh(value: u32) -> pirn_channel::Receiver<u32> {
        let (tx, rx) = bounded(1);
        tx.try_send(value).unwrap();
        rx
    }
    run(async {
        let on = std::hint::black_box(true);
        let v = select! {
            v = fresh(9).recv(), if on => v.unwrap(),
            v = never().recv() => v.unwrap(),
        };
        assert_eq!(v, 9);
        let v = select! { v = fresh(8).recv() => v.unwrap() };
        assert_eq!(v, 8);
    });
}

#[test]
fn a_pattern_that_does_not_match_puts_its_branch_out() {
    run(async {
        let (tx, rx) = bounded::<Result<String, u8>>(2);
        let (tx2, rx2) = bounded(1);
        tx.try_send(Err(1)).unwrap();
        tx.try_send(Ok("left".to_owned())).unwrap();
        let waiting = async {
            select! {
                Ok(Ok(mut text)) = rx.recv() => { text.push('!'); text }
                Ok(n @ 5..=9) = rx2.recv() => n.to_string(),
                _ = std::future::ready(()), if false => String::new(),
            }
        };
        let sending = async {
            smol::future::yield_now().await;
            tx2.send(7_u32).await.unwrap();
        };
        let (got, ()) = smol::future::zip(waiting, sending).await;
        assert_eq!(got, "7");
        assert_eq!(rx.try_recv().unwrap().unwrap(), "left", "only the value that did not match is gone");
    });
}

#[test]
fn a_pattern_may_lend_out_the_value() {
    run(async {
        let (tx, rx) = bounded(2);
        for _ in 0..2 {
            tx.try_send("left".to_owned()).unwrap();
        }
        let len = select! { Ok(ref text) = rx.recv() => text.len() };
        assert_eq!(len, 4);
        let text = select! {
            Ok(ref mut text) = rx.recv(), if len == 4 => { text.push('!'); std::mem::take(text) }
        };
        assert_eq!(text, "left!");
    });
}

#[test]
#[deny(unreachable_patterns)]
fn a_branch_that_never_comes_to_an_end_is_worth_no_warning() {
    async fn for_ever() -> Infallible {
        std::future::pending().await
    }
    run(async {
        let got = select! {
            _ = for_ever() => unreachable!(),
            never = for_ever() => match never {},
            n = std::future::ready(3) => n,
        };
        assert_eq!(got, 3);
    });
}

#[test]
#[should_panic(expected = "all branches of the select!")]
fn all_branches_disabled_panics() {
    run(async {
        let off = std::hint::black_box(false);
        select! { _ = never::<()>().recv(), if off => {} }
    });
}

#[test]
#[should_panic(expected = "all branches of the select!")]
fn all_branches_mismatched_panics() {
    run(async {
        let (tx, rx) = bounded::<u8>(1);
        drop(tx);
        select! { Ok(_) = rx.recv() => {} }
    });
}

#[test]
fn default_is_taken_when_all_are_disabled() {
    run(async {
        let off = std::hint::black_box(false);
        let n = select! { _ = never::<()>().recv(), if off => 1, default => 2 };
        assert_eq!(n, 2);
        assert_eq!(select! { default => 3 }, 3);
    });
}

#[test]
fn biased_takes_the_first_written() {
    run(async {
        let (tx, rx) = bounded(8);
        for _ in 0..64 {
            tx.try_send(1).unwrap();
            tx.try_send(2).unwrap();
            let order = select! { biased; v = rx.recv() => v, _ = std::future::ready(()) => Ok(0) };
            assert_eq!(order, Ok(1));
            rx.try_recv().unwrap();
        }
    });
}

#[test]
fn a_send_and_a_receive_face_to_face() {
    run(async {
        let (tx, rx) = bounded(0);
        let give = async {
            select! { r = tx.send(4) => r.is_ok(), _ = never::<()>().recv() => false }
        };
        let take = async {
            select! { v = rx.recv() => v, _ = never::<()>().recv() => Err(RecvError) }
        };
        assert_eq!(smol::future::zip(give, take).await, (true, Ok(4)));
    });
}

#[test]
fn thirty_two_branches_and_more() {
    run(async {
        let (tx, rx) = bounded::<u32>(1);
        tx.try_send(1).unwrap();
        let n = never::<u32>();
        let v = select! {
            v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v,
            v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v,
            v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v,
            v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v,
            v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v,
            v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v,
            v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v,
            v = rx.recv() => v,
            default => Ok(0),
        };
        assert_eq!(v, Ok(1));
    });
}

#[test]
fn sixty_four_branches_fit_within_the_usual_recursion_limit() {
    run(async {
        let (tx, rx) = bounded::<u32>(1);
        tx.try_send(1).unwrap();
        let n = never::<u32>();
        let v = select! {
            v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v,
            v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v,
            v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v,
            v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v,
            v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v,
            v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v,
            v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v,
            v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v,
            v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v, v = n.recv() => v,
            v = rx.recv() => v,
        };
        assert_eq!(v, Ok(1));
    });
}

#[test]
fn the_future_of_a_select_can_be_sent_and_used_in_generic_code() {
    fn assert_send<F: std::future::Future + Send>(future: F) -> F {
        future
    }
    async fn first<T: Send, F: std::future::Future<Output = T> + Send>(
        rx: &pirn_channel::Receiver<T>,
        other: F,
    ) -> Option<T> {
        let mut other = std::pin::pin!(other);
        select! {
            v = rx.recv() => v.ok(),
            v = &mut other => Some(v),
        }
    }
    let (_tx, rx) = bounded::<u32>(1);
    assert_eq!(run(assert_send(first(&rx, async { 6 }))), Some(6));
}

#[test]
fn a_losing_send_drops_its_value_and_leaves_no_trace() {
    run(async {
        let (tx, rx) = bounded::<std::sync::Arc<()>>(0);
        let value = std::sync::Arc::new(());
        select! {
            _ = tx.send(value.clone()) => unreachable!(),
            _ = smol::future::yield_now() => {}
        }
        assert_eq!(std::sync::Arc::strong_count(&value), 1);
        assert!(rx.try_recv().is_err());
    });
}

#[test]
fn traits_of_the_user_that_everything_has_do_not_get_in_the_way() {
    #[allow(dead_code)]
    trait Handy: Sized {
        fn pin(self) -> std::pin::Pin<Box<Self>> {
            Box::pin(self)
        }
        fn prepare(self) {}
        fn admit(self) {}
        fn poll(self) {}
        fn step(self) {}
    }
    impl<T> Handy for T {}
    run(async {
        let (tx, rx) = bounded(1);
        tx.try_send(1).unwrap();
        let got = select! {
            v = rx.recv() => v,
            r = tx.send(2) => r.map(|()| 0).map_err(|_| RecvError),
            _ = std::future::pending::<()>() => unreachable!(),
        };
        assert_eq!(got, Ok(1));
    });
}

mod where_constants_have_the_names_of_variables {
    //! A pattern that is a name means the constant of that name, if there is one.
    #![allow(non_upper_case_globals, dead_code)]

    use super::{bounded, run, select, RecvError};

    const won: u8 = 1;
    const frame: u8 = 1;
    const branches: u8 = 1;
    const hit: bool = true;
    const output: u8 = 1;
    static case: u8 = 1;
    static pass: u8 = 1;
    static cx: u8 = 1;
    const b0: u8 = 1;
    const k1: u8 = 1;

    #[test]
    fn a_select_has_other_names_for_its_own() {
        run(async {
            let (tx, rx) = bounded(1);
            tx.try_send(won).unwrap();
            let got = select! {
                v = rx.recv() => v,
                r = tx.send(2) => r.map(|()| 0).map_err(|_| RecvError),
                _ = std::future::pending::<()>(), if hit => unreachable!(),
            };
            assert_eq!(got, Ok(won));
        });
    }
}

#[test]
fn a_value_stays_where_it_is_until_a_branch_that_reserves_has_won() {
    run(async {
        let (tx, rx) = bounded(1);
        let mut queue = VecDeque::from(["first", "second"].map(String::from));
        let mut got = Vec::new();
        while got.len() < 2 {
            select! {
                Ok(slot) = tx.reserve(), if !queue.is_empty() => slot.send(queue.pop_front().unwrap()).unwrap(),
                Ok(text) = rx.recv() => got.push(text),
            }
        }
        assert_eq!(got, ["first", "second"]);
    });
}
