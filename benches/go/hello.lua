-- The row http_hello's figures, as wrk saw them; any request that went wrong is an error.
function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  if failed > 0 or summary.requests == 0 then
    io.write(string.format("%d requests, of which %d failed\n", summary.requests, failed))
    return
  end
  io.write(string.format("http_hello %f\n", summary.requests / summary.duration * 1e6))
  io.write(string.format("http_hello:p99_us %f\n", latency:percentile(99)))
end
