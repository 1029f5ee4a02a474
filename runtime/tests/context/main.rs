//! Contexts, rule by rule.

mod after_func;
mod causes;
mod executors;
mod rules;
mod run;
mod signals;
mod support;
