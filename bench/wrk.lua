-- SPDX-License-Identifier: BSD-2-Clause

-- Sends the tokens in the file TOKENS in turn; with ONCE=1 each of them once.

local ffi = require("ffi")
ffi.cdef("int getpid(void); int kill(int pid, int sig);")

local requests, next_one = {}, 0
local once = os.getenv("ONCE") == "1"

function init(args)
    local tokens = {}

    for token in io.lines(os.getenv("TOKENS")) do
        tokens[#tokens + 1] = "Bearer " .. token
    end

    -- a single token needs no function for each request: calling one would
    -- cost wrk as much as nginx

    if #tokens == 1 then
        wrk.headers["Authorization"] = tokens[1]
        return
    end

    for i, token in ipairs(tokens) do
        requests[i] = wrk.format("GET", nil, { ["Authorization"] = token })
    end

    request = take
end

function take()
    next_one = next_one + 1

    if next_one > #requests then
        if once then
            -- stopping only this thread would leave wrk waiting until its
            -- time is over
            ffi.C.kill(ffi.C.getpid(), 2)
        end

        next_one = 1
    end

    return requests[next_one]
end

function done(summary, latency, requests)
    local e = summary.errors

    io.write(string.format("RESULT %d %d %d %d\n", summary.requests, e.status,
        e.connect + e.read + e.write + e.timeout,
        latency:percentile(99)))
end
