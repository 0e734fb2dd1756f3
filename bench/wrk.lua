-- Sends the tokens of the file TOKENS in turn; with ONCE each of them once.

local requests, next_one = {}, 0
local once = os.getenv("ONCE")

function init(args)
    for token in io.lines(os.getenv("TOKENS")) do
        requests[#requests + 1] = wrk.format("GET", nil,
            { ["Authorization"] = "Bearer " .. token })
    end
end

function request()
    next_one = next_one + 1

    if next_one > #requests then
        if once then
            wrk.thread:stop()
        end

        next_one = 1
    end

    return requests[next_one]
end

function done(summary, latency, requests)
    io.write(string.format("RESULT %d %d %d %d %d\n", summary.requests,
        summary.duration, summary.errors.status, latency:percentile(50),
        latency:percentile(99)))
end
