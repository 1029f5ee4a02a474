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
//! # Three tricks, and a precaution
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
//!
//! A name of ours that stands in a pattern means the user's constant, static or unit struct of that name where there is one:
//! only against variables are macros hygienic. So all these names begin with two underscores.

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
/// * It is [`Send`] where all operations are, and all that they come to: what another branch came to
///   counts too, since there is room for it while an arm awaits.
/// * It `allow`s lints of the compiler's `unused` group in what it writes: a crate may `deny` these, but not `forbid` them one
///   by one.
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
                (B0 __b0 __k0 0) (B1 __b1 __k1 1) (B2 __b2 __k2 2) (B3 __b3 __k3 3) (B4 __b4 __k4 4)
                (B5 __b5 __k5 5) (B6 __b6 __k6 6) (B7 __b7 __k7 7) (B8 __b8 __k8 8) (B9 __b9 __k9 9)
                (B10 __b10 __k10 10) (B11 __b11 __k11 11) (B12 __b12 __k12 12) (B13 __b13 __k13 13)
                (B14 __b14 __k14 14) (B15 __b15 __k15 15) (B16 __b16 __k16 16) (B17 __b17 __k17 17)
                (B18 __b18 __k18 18) (B19 __b19 __k19 19) (B20 __b20 __k20 20) (B21 __b21 __k21 21)
                (B22 __b22 __k22 22) (B23 __b23 __k23 23) (B24 __b24 __k24 24) (B25 __b25 __k25 25)
                (B26 __b26 __k26 26) (B27 __b27 __k27 27) (B28 __b28 __k28 28) (B29 __b29 __k29 29)
                (B30 __b30 __k30 30) (B31 __b31 __k31 31) (B32 __b32 __k32 32) (B33 __b33 __k33 33)
                (B34 __b34 __k34 34) (B35 __b35 __k35 35) (B36 __b36 __k36 36) (B37 __b37 __k37 37)
                (B38 __b38 __k38 38) (B39 __b39 __k39 39) (B40 __b40 __k40 40) (B41 __b41 __k41 41)
                (B42 __b42 __k42 42) (B43 __b43 __k43 43) (B44 __b44 __k44 44) (B45 __b45 __k45 45)
                (B46 __b46 __k46 46) (B47 __b47 __k47 47) (B48 __b48 __k48 48) (B49 __b49 __k49 49)
                (B50 __b50 __k50 50) (B51 __b51 __k51 51) (B52 __b52 __k52 52) (B53 __b53 __k53 53)
                (B54 __b54 __k54 54) (B55 __b55 __k55 55) (B56 __b56 __k56 56) (B57 __b57 __k57 57)
                (B58 __b58 __k58 58) (B59 __b59 __k59 59) (B60 __b60 __k60 60) (B61 __b61 __k61 61)
                (B62 __b62 __k62 62) (B63 __b63 __k63 63)
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
        let mut __won = match $crate::__private::Frame::new(
            &mut [$($number),+],
            $biased,
            $crate::__select_has_default!($($default)?),
            ::core::panic::Location::caller(),
        ) {
            ref mut __frame => $crate::__select_hold! { [$(($name $guard ($op)))+] {
                // SAFETY: a temporary of this match, reached through this reference alone.
                let mut __frame = unsafe { ::core::pin::Pin::new_unchecked(__frame) };
                $(
                    let mut $kind = {
                        #[allow(unused_imports)]
                        use $crate::__private::{ChannelKind as _, PlainKind as _};
                        (&*$name).select_kind().prepare($name)
                    };
                )+
                // SAFETY: of each pair the one is a temporary of a match, the other a variable that nobody else can name; from now
                // on both are reached through this reference alone.
                let mut __branches = unsafe { ($($kind.pin_branch($name),)+) };
                {
                    let ($($name,)+) = &__branches;
                    __frame.as_mut().admit(
                        [$($crate::__private::Branch::is_live(&**$name)),+],
                        0 $(+ $crate::__private::channels(&**$name))+,
                    );
                }
                ::core::future::poll_fn(|__cx| {
                    __frame.as_mut().poll(__cx, |__case, __pass, __cx| {
                        let ($($name,)+) = $crate::__private::whole(&mut __branches);
                        match __case {
                            $(
                                $number => match $crate::__private::Branch::step($name.as_mut(), __pass, $number, __cx) {
                                    ::core::task::Poll::Pending => $crate::__private::Step::Pending,
                                    #[allow(unused_mut)]
                                    ::core::task::Poll::Ready(mut __output) => {
                                        let mut __hit = false;
                                        #[allow(unused_variables, unused_mut, unreachable_patterns)]
                                        match __output {
                                            $pattern if { __hit = true; false } => ::core::unreachable!(),
                                            _ => {}
                                        }
                                        if __hit {
                                            $crate::__private::Step::Won(__PirnSelected::$Name(__output))
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
        match __won {
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
