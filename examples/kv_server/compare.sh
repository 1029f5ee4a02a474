#!/usr/bin/env bash
# Compares kv_server with a real redis-server, both under redis-benchmark, on this machine.
#
#   cargo build --release --example kv_server
#   examples/kv_server/compare.sh [ROUNDS] [REQUESTS] [TESTS]
#
# Three servers run at once: redis-server, kv_server with one processor, kv_server with two. In each round every test
# is run against each of them in turn, in an order that rotates, so that a noisy minute hurts all alike. One test at a
# time: the servers that are not asked sleep. Printed are the medians, in requests per second, and their ratio to
# redis-server's.
#
# The load client takes a core of its own. With two cores, a server with two processors shares one with it.
set -euo pipefail

rounds=${1:-5}
requests=${2:-400000}
tests=${3:-ping,set,get,incr,lpush,lpop,sadd,hset,mset}
program=$(dirname "$0")/../../target/release/examples/kv_server
results=$(mktemp)
names=(redis kv1 kv2)
ports=(7101 7102 7103)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; wait; rm -f "$results"' EXIT

redis-server --port "${ports[0]}" --save '' --appendonly no >/dev/null & pids+=($!)
"$program" --listen "127.0.0.1:${ports[1]}" --procs 1 --log warn >/dev/null & pids+=($!)
"$program" --listen "127.0.0.1:${ports[2]}" --procs 2 --log warn >/dev/null & pids+=($!)
for port in "${ports[@]}"; do
    for _ in $(seq 100); do redis-cli -p "$port" ping >/dev/null 2>&1 && break; sleep 0.05; done
done

for round in $(seq "$rounds"); do
    for test in ${tests//,/ }; do
        for turn in 0 1 2; do
            which=$(( (turn + round) % 3 ))
            # "PING_INLINE","1923076.88","0.239",… per line, behind a line of headings
            redis-benchmark -p "${ports[$which]}" --csv -t "$test" -c 50 -P 16 -n "$requests" \
                | grep -v '^"test"' | cut -d'"' -f2,4 | sed "s/^/${names[$which]}\"/" >>"$results"
        done
    done
    for port in "${ports[@]}"; do redis-cli -p "$port" flushall >/dev/null; done
done

awk -F'"' '
    { if (!($2 in seen)) { seen[$2] = 1; order[++tests] = $2 } values[$1, $2] = values[$1, $2] " " $3 }
    function median(list,   all, n, i, j, held) {
        n = split(list, all, " ")
        for (i = 2; i <= n; i++) {
            held = all[i] + 0
            for (j = i - 1; j > 0 && all[j] + 0 > held; j--) all[j + 1] = all[j]
            all[j + 1] = held
        }
        return n % 2 ? all[(n + 1) / 2] : (all[n / 2] + all[n / 2 + 1]) / 2
    }
    END {
        printf "%-18s %12s %12s %12s %9s %9s\n", "", "redis", "procs 1", "procs 2", "1:redis", "2:redis"
        for (i = 1; i <= tests; i++) {
            test = order[i]
            redis = median(values["redis", test]); one = median(values["kv1", test]); two = median(values["kv2", test])
            printf "%-18s %12d %12d %12d %9.2f %9.2f\n", test, redis, one, two, one / redis, two / redis
            sum1 += log(one / redis); sum2 += log(two / redis)
        }
        printf "%-18s %12s %12s %12s %9.2f %9.2f\n", "geometric mean", "", "", "", exp(sum1 / tests), exp(sum2 / tests)
    }' "$results"
