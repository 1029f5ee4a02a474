module pirn-benches

go 1.23
