-- SPDX-License-Identifier: BSD-2-Clause

-- The module's main job in Lua: RS256 with one key, exp, aud.
-- Debian has no JWT library for Lua; luaossl and cjson are in C.

local cjson = require "cjson.safe"
local digest = require "openssl.digest"
local pkey = require "openssl.pkey"

local file = assert(io.open(os.getenv("BENCH_KEY")))
local key = pkey.new(file:read("*a"))
file:close()

local function decode(text)
    return ngx.decode_base64((text:gsub("-", "+"):gsub("_", "/"))
                             .. ("="):rep(-#text % 4))
end

local function object(text)
    local bytes = decode(text)
    local value = bytes and cjson.decode(bytes)
    return type(value) == "table" and value or {}
end

local function valid(authorization)
    local part, header, payload, signature =
        authorization:match("^Bearer (([%w_-]+)%.([%w_-]+))%.([%w_-]+)$")

    if not part or object(header).alg ~= "RS256" then
        return false
    end

    local claims = object(payload)

    if type(claims.exp) ~= "number" or claims.exp <= ngx.time()
        or type(claims.aud) ~= "table"
    then
        return false
    end

    for _, audience in ipairs(claims.aud) do
        if audience == "service2" then
            local sha256 = digest.new("sha256")
            sha256:update(part)
            return key:verify(decode(signature), sha256)
        end
    end

    return false
end

return function()
    if not valid(ngx.var.http_authorization or "") then
        return ngx.exit(401)
    end
end
