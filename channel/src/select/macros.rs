//! The syntax of `select!`: branches are munched one by one into a list, then the code is emitted in one piece.
//!
//! ```text
//!   select! { pat = op => body, … }
//!     ──► list of (Name name kind number) (pat) (op) (guard) (body)
//!     ──► { enum Won<B0, B1, …>                       one variant for each branch
//!           let won = match frame { f => match op0 { o0 => match op1 { o1 => … await … } } };
//!                                                     operands, pinned, and their temporaries live until here
//!           match won { Some(Won::B0(pat)) => body, … } }   losers are dropped; the arms run
//! ```
//!
//! # Three tricks
//! *Guards.* `op, if guard` must neither evaluate `op` behind a false guard nor drop its temporaries before the select is
//! over. In the 2021 edition the temporaries of a block's tail live as long as the statement around it, and
//! a labelled block can be left early; an `if` or a `match` would drop them. The edition of the macro's own
//! crate counts, which is why this crate is of that edition.
//!
//! *Patterns that may not match.* Whether a value matches must be known before the losers are dropped, but the bindings
//! belong to the arm, after it. A match guard that is false moves nothing: `match out { pat if { hit = true; false } => …`
//! asks without taking, whatever the pattern binds.
//!
//! *Kinds.* See [`case`][crate::select::case].

/// Waits for the first of several operations, and runs its arm.
///
/// A branch is `pattern = operation => arm`, or `pattern = operation, if guard => arm`. The operation is a
/// [`recv()`][crate::Receiver::recv], a [`send(…)`][crate::Sender::send], or any other future. Exactly one branch happens: a
/// receive or a send written directly in a branch that loses has had no effect. Any other future is merely dropped
/// when it loses: `async { tx.send(v).await }` cannot be undone.
///
/// * Operations and guards are evaluated once, in the order written, when the select is entered; behind a
///   false guard the operation is not evaluated. Their temporaries live until a branch has won. A `break` or `continue` in the
///   operation or the guard of a guarded branch needs a label.
/// * Of several ready branches one is chosen at random, each equally likely; after `biased;` the first one written. That is
///   for when the select looks: a receive or send that a partner completes while it sleeps has won.
/// * The value of a send that loses is dropped with it. Where it is still needed, send a clone, or
///   [`reserve()`][crate::Sender::reserve] a slot and send into that in the arm.
/// * `default => arm` makes it never wait: it is taken if at one moment no branch was ready. (Like every operation it may
///   give way to other tasks first, if its own has run for long.)
/// * A value that does not match its pattern is dropped; that branch is then out and the others go on.
/// * The losing futures are dropped before the arm runs. `?`, `break`, `continue` and `return` work in the arms.
/// * Arms need no comma after a block. There may be up to 64 branches; [`Select`][crate::Select] takes any number.
///
/// # Panics
/// If all branches are disabled and there is no `default`.
///
/// # Cancel safety
/// Dropping the select leaves every channel as if it had never been there; a value that was handed to it goes to the next
/// receiver, or back ahead of the buffer.
///
/// # Examples
/// ```
/// # smol::block_on(async {
/// use pirn_channel::{bounded, select};
///
/// let (orders, kitchen) = bounded(1);
/// let (bell, door) = bounded::<()>(1);
/// orders.send("soup").await.unwrap();
/// let served = select! {
///     Ok(dish) = kitchen.recv() => dish,
///     _ = door.recv() => "nothing",
/// };
/// assert_eq!(served, "soup");
///
/// // Never waits: drop what does not fit.
/// let mut dropped = 0;
/// for dish in ["stew", "cake"] {
///     select! {
///         _ = orders.send(dish) => {}
///         default => dropped += 1,
///     }
/// }
/// assert_eq!(dropped, 1);
/// # drop(bell); });
/// ```
#[macro_export]
macro_rules! select {
    () => { ::core::compile_error!("a select! without branches would wait for ever") };
    (biased; $($rest:tt)+) => { $crate::__select_start! { true $($rest)+ } };
    ($($rest:tt)+) => { $crate::__select_start! { false $($rest)+ } };
}

/// Hands the muncher its names.
#[doc(hidden)]
#[macro_export]
macro_rules! __select_start {
    ($biased:tt $($rest:tt)+) => {
        $crate::__select_munch! {
            $biased [] []
            [
                (B0 b0 k0 0) (B1 b1 k1 1) (B2 b2 k2 2) (B3 b3 k3 3) (B4 b4 k4 4) (B5 b5 k5 5) (B6 b6 k6 6)
                (B7 b7 k7 7) (B8 b8 k8 8) (B9 b9 k9 9) (B10 b10 k10 10) (B11 b11 k11 11) (B12 b12 k12 12)
                (B13 b13 k13 13) (B14 b14 k14 14) (B15 b15 k15 15) (B16 b16 k16 16) (B17 b17 k17 17)
                (B18 b18 k18 18) (B19 b19 k19 19) (B20 b20 k20 20) (B21 b21 k21 21) (B22 b22 k22 22)
                (B23 b23 k23 23) (B24 b24 k24 24) (B25 b25 k25 25) (B26 b26 k26 26) (B27 b27 k27 27)
                (B28 b28 k28 28) (B29 b29 k29 29) (B30 b30 k30 30) (B31 b31 k31 31) (B32 b32 k32 32)
                (B33 b33 k33 33) (B34 b34 k34 34) (B35 b35 k35 35) (B36 b36 k36 36) (B37 b37 k37 37)
                (B38 b38 k38 38) (B39 b39 k39 39) (B40 b40 k40 40) (B41 b41 k41 41) (B42 b42 k42 42)
                (B43 b43 k43 43) (B44 b44 k44 44) (B45 b45 k45 45) (B46 b46 k46 46) (B47 b47 k47 47)
                (B48 b48 k48 48) (B49 b49 k49 49) (B50 b50 k50 50) (B51 b51 k51 51) (B52 b52 k52 52)
                (B53 b53 k53 53) (B54 b54 k54 54) (B55 b55 k55 55) (B56 b56 k56 56) (B57 b57 k57 57)
                (B58 b58 k58 58) (B59 b59 k59 59) (B60 b60 k60 60) (B61 b61 k61 61) (B62 b62 k62 62)
                (B63 b63 k63 63)
            ]
            $($rest)+
        }
    };
}

/// Takes one branch at a time off the input: `biased [default] [branches] [names] rest`.
///
/// A block is matched by its braces, not as `$body:block`: that fragment also begins to parse what another macro
/// passes on as `$arm:expr` or `$arm:literal`, and then fails for good instead of trying the next rule.
#[doc(hidden)]
#[macro_export]
macro_rules! __select_munch {
    // Done.
    ($biased:tt $default:tt $done:tt $names:tt) => {
        $crate::__select_emit! { $biased $default $done }
    };
    // The default.
    ($biased:tt [] $done:tt $names:tt default => { $($body:tt)* }, $($rest:tt)*) => {
        $crate::__select_munch! { $biased [{ $($body)* }] $done $names $($rest)* }
    };
    ($biased:tt [] $done:tt $names:tt default => { $($body:tt)* } $($rest:tt)*) => {
        $crate::__select_munch! { $biased [{ $($body)* }] $done $names $($rest)* }
    };
    ($biased:tt [] $done:tt $names:tt default => $body:expr $(, $($rest:tt)*)?) => {
        $crate::__select_munch! { $biased [$body] $done $names $($($rest)*)? }
    };
    ($biased:tt [$other:expr] $done:tt $names:tt default => $($rest:tt)*) => {
        ::core::compile_error!("a select! has at most one default")
    };
    // More branches than names.
    ($biased:tt $default:tt $done:tt [] $($rest:tt)+) => {
        ::core::compile_error!("a select! has at most 64 branches; use `Select` for a longer list")
    };
    // A guarded branch.
    ($biased:tt $default:tt [$($done:tt)*] [$name:tt $($names:tt)*]
        $pattern:pat = $op:expr, if $guard:expr => { $($body:tt)* }, $($rest:tt)*) => {
        $crate::__select_munch! {
            $biased $default [$($done)* { $name ($pattern) ($op) ($guard) ({ $($body)* }) }] [$($names)*] $($rest)*
        }
    };
    ($biased:tt $default:tt [$($done:tt)*] [$name:tt $($names:tt)*]
        $pattern:pat = $op:expr, if $guard:expr => { $($body:tt)* } $($rest:tt)*) => {
        $crate::__select_munch! {
            $biased $default [$($done)* { $name ($pattern) ($op) ($guard) ({ $($body)* }) }] [$($names)*] $($rest)*
        }
    };
    ($biased:tt $default:tt [$($done:tt)*] [$name:tt $($names:tt)*]
        $pattern:pat = $op:expr, if $guard:expr => $body:expr $(, $($rest:tt)*)?) => {
        $crate::__select_munch! {
            $biased $default [$($done)* { $name ($pattern) ($op) ($guard) ($body) }] [$($names)*] $($($rest)*)?
        }
    };
    // A branch.
    ($biased:tt $default:tt [$($done:tt)*] [$name:tt $($names:tt)*]
        $pattern:pat = $op:expr => { $($body:tt)* }, $($rest:tt)*) => {
        $crate::__select_munch! {
            $biased $default [$($done)* { $name ($pattern) ($op) () ({ $($body)* }) }] [$($names)*] $($rest)*
        }
    };
    ($biased:tt $default:tt [$($done:tt)*] [$name:tt $($names:tt)*]
        $pattern:pat = $op:expr => { $($body:tt)* } $($rest:tt)*) => {
        $crate::__select_munch! {
            $biased $default [$($done)* { $name ($pattern) ($op) () ({ $($body)* }) }] [$($names)*] $($rest)*
        }
    };
    ($biased:tt $default:tt [$($done:tt)*] [$name:tt $($names:tt)*]
        $pattern:pat = $op:expr => $body:expr $(, $($rest:tt)*)?) => {
        $crate::__select_munch! {
            $biased $default [$($done)* { $name ($pattern) ($op) () ($body) }] [$($names)*] $($($rest)*)?
        }
    };
}

/// An operand, or nothing behind a false guard.
#[doc(hidden)]
#[macro_export]
macro_rules! __select_operand {
    (() $op:expr) => {
        ::core::option::Option::Some($op)
    };
    (($guard:expr) $op:expr) => {
        'guarded: {
            if !$guard {
                break 'guarded ::core::option::Option::None;
            }
            ::core::option::Option::Some($op)
        }
    };
}

/// Evaluates the operands in order, each in the place where it stays for as long as the select lasts, as do its temporaries;
/// and then what is to be done with them. Four at a time, to stay far below the limit of recursion.
#[doc(hidden)]
#[macro_export]
macro_rules! __select_hold {
    ([] $then:expr) => { $then };
    ([($a:ident $if_a:tt ($op_a:expr)) ($b:ident $if_b:tt ($op_b:expr)) ($c:ident $if_c:tt ($op_c:expr))
        ($d:ident $if_d:tt ($op_d:expr)) $($rest:tt)*] $then:expr) => {
        match $crate::__select_operand!($if_a $op_a) {
            ref mut $a => match $crate::__select_operand!($if_b $op_b) {
                ref mut $b => match $crate::__select_operand!($if_c $op_c) {
                    ref mut $c => match $crate::__select_operand!($if_d $op_d) {
                        ref mut $d => $crate::__select_hold! { [$($rest)*] $then },
                    },
                },
            },
        }
    };
    ([($a:ident $if_a:tt ($op_a:expr)) $($rest:tt)*] $then:expr) => {
        match $crate::__select_operand!($if_a $op_a) {
            ref mut $a => $crate::__select_hold! { [$($rest)*] $then },
        }
    };
}

/// Writes the code of a whole select.
#[doc(hidden)]
#[macro_export]
macro_rules! __select_emit {
    ($biased:tt [$default:expr] []) => { $default };
    ($biased:tt [$($default:expr)?]
        [$({ ($Name:ident $name:ident $kind:ident $number:tt) ($pattern:pat) ($op:expr) $guard:tt ($body:expr) })+]
    ) => {{
        enum __PirnSelected<$($Name),+> {
            $($Name($Name)),+
        }
        #[allow(unused_mut)]
        let mut won = match $crate::__private::Frame::new(
            &mut [$($number),+],
            $biased,
            $crate::__select_has_default!($($default)?),
            ::core::panic::Location::caller(),
        ) {
            ref mut frame => $crate::__select_hold! { [$(($name $guard ($op)))+] {
                // SAFETY: a temporary of this match, reached through this reference alone.
                let mut frame = unsafe { ::core::pin::Pin::new_unchecked(frame) };
                $(
                    let mut $kind = {
                        #[allow(unused_imports)]
                        use $crate::__private::{ChannelKind as _, PlainKind as _};
                        (&*$name).select_kind().prepare($name)
                    };
                )+
                // SAFETY: of each pair the one is a temporary of a match, the other a variable that nobody else can name; from now
                // on both are reached through this reference alone.
                let mut branches = unsafe { ($($kind.pin_branch($name),)+) };
                {
                    let ($($name,)+) = &branches;
                    frame.as_mut().admit(
                        [$($crate::__private::Branch::is_live(&**$name)),+],
                        0 $(+ $crate::__private::channels(&**$name))+,
                    );
                }
                ::core::future::poll_fn(|cx| {
                    frame.as_mut().poll(cx, |case, pass, cx| {
                        let ($($name,)+) = $crate::__private::whole(&mut branches);
                        match case {
                            $(
                                $number => match $crate::__private::Branch::step($name.as_mut(), pass, $number, cx) {
                                    ::core::task::Poll::Pending => $crate::__private::Step::Pending,
                                    #[allow(unused_mut)]
                                    ::core::task::Poll::Ready(mut output) => {
                                        let mut hit = false;
                                        #[allow(unused_variables, unused_mut, unreachable_patterns)]
                                        match output {
                                            $pattern if { hit = true; false } => ::core::unreachable!(),
                                            _ => {}
                                        }
                                        if hit {
                                            $crate::__private::Step::Won(__PirnSelected::$Name(output))
                                        } else {
                                            $crate::__private::Step::Out
                                        }
                                    }
                                },
                            )+
                            _ => ::core::unreachable!("a select! asked for a branch that it has not"),
                        }
                    })
                })
                .await
            } }
        };
        match won {
            $( ::core::option::Option::Some(__PirnSelected::$Name($pattern)) => $body, )+
            $( ::core::option::Option::None => $default, )?
            #[allow(unreachable_patterns)]
            _ => ::core::unreachable!("a select! came to an end without a branch"),
        }
    }};
}

/// Whether there is a default.
#[doc(hidden)]
#[macro_export]
macro_rules! __select_has_default {
    () => {
        false
    };
    ($default:expr) => {
        true
    };
}
