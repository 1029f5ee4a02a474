//! What the kernel tells a process about itself, and the quantiles of what it measured.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Resident memory, in bytes.
pub(crate) fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("the kernel tells");
    let pages: u64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number of pages");
    // SAFETY: asks for a constant of the system; no memory is involved.
    let page_size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    pages * page_size as u64
}

/// Processor time that this process has used, of all its threads.
pub(crate) fn cpu_time() -> Duration {
    // SAFETY: `rusage` is plain numbers, for which zeros are valid, and outlives the call that fills it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_SELF, &mut usage), 0);
        usage
    };
    let of = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    of(usage.ru_utime) + of(usage.ru_stime)
}

/// Durations, of which the quantiles are asked; in steps of nanoseconds, three digits.
pub(crate) struct Durations(Histogram<u64>);

impl Durations {
    /// None so far.
    pub(crate) fn new() -> Self {
        Self(Histogram::new(3).expect("three digits are supported"))
    }

    /// Adds one.
    pub(crate) fn record(&mut self, duration: Duration) {
        self.0.record(duration.as_nanos() as u64).expect("the histogram grows as needed");
    }

    /// Adds all of another's.
    pub(crate) fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("the histogram grows as needed");
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// The quantile, in microseconds.
    pub(crate) fn quantile_us(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1e3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let (mut durations, mut others) = (Durations::new(), Durations::new());
        (1..=50).for_each(|us| durations.record(Duration::from_micros(us)));
        (51..=100).for_each(|us| others.record(Duration::from_micros(us)));
        durations.add(&others);
        assert_eq!(durations.count(), 100);
        assert!((durations.quantile_us(0.5) - 50.0).abs() < 0.1);
        assert!((durations.quantile_us(0.99) - 99.0).abs() < 0.1);
        assert!((durations.quantile_us(1.0) - 100.0).abs() < 0.1);
    }

    #[test]
    fn work_uses_processor_time_and_memory() {
        let (cpu, memory) = (cpu_time(), resident_bytes());
        let mut block = vec![1_u8; 64 << 20];
        while cpu_time() == cpu {
            block.iter_mut().for_each(|byte| *byte = byte.wrapping_mul(3));
        }
        assert!(resident_bytes() > memory + (32 << 20), "{}", block[7]);
    }
}
