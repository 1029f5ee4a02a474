//! The sleeper against a thread that brings a descriptor to another set: the kernel is a few flags under a lock.

use ::loom::sync::{Condvar, Mutex};
use pirn_sync::primitive::{Arc, thread};

use super::Population;

struct Model {
    population: Population,
    kernel: Mutex<Kernel>,
    changed: Condvar,
}

#[derive(Default)]
struct Kernel {
    woken: bool,
    ready: [bool; 2],
}

impl Model {
    fn change(&self, f: impl FnOnce(&mut Kernel)) {
        f(&mut self.kernel.lock().unwrap());
        self.changed.notify_one();
    }

    /// Sleeps until `sets` have something to tell, or a wake. True if it was the set in question.
    fn sleep(&self, sets: &[usize]) -> bool {
        let mut kernel = self.kernel.lock().unwrap();
        while !kernel.woken && !sets.iter().any(|&set| kernel.ready[set]) {
            kernel = self.changed.wait(kernel).unwrap();
        }
        kernel.woken = false;
        sets.contains(&1) && kernel.ready[1]
    }
}

/// A descriptor comes into set 1, and with it an event. Whoever sleeps in set 0 for ever after is a deadlock, which
/// loom reports.
#[test]
fn a_descriptor_in_another_set_is_heard() {
    ::loom::model(|| {
        let model = Arc::new(Model {
            population: Population::new(2),
            kernel: Mutex::new(Kernel::default()),
            changed: Condvar::new(),
        });
        let comer = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                if model.population.arrive(1) {
                    model.change(|kernel| kernel.woken = true);
                }
                model.change(|kernel| kernel.ready[1] = true);
            })
        };
        while !model.population.alone(0, || model.sleep(&[0])).unwrap_or_else(|| model.sleep(&[0, 1])) {}
        comer.join().unwrap();
    });
}
