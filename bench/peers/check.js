// SPDX-License-Identifier: BSD-2-Clause

// The module's main job in njs: RS256 with one key, exp, aud.

import fs from 'fs';

const pem = fs.readFileSync(process.env.BENCH_KEY, 'utf8');
const key = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');

async function check(r) {
    const token = /^Bearer ([\w-]+)\.([\w-]+)\.([\w-]+)$/
                  .exec(r.headersIn.Authorization || '');

    if (!token) {
        return r.return(401);
    }

    try {
        const header = JSON.parse(Buffer.from(token[1], 'base64url'));
        const claims = JSON.parse(Buffer.from(token[2], 'base64url'));

        if (header.alg !== 'RS256'
            || !(claims.exp > Date.now() / 1000)
            || claims.aud.indexOf('service2') < 0)
        {
            return r.return(401);
        }

        const rsa = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
        const spki = await crypto.subtle.importKey('spki', key, rsa, false,
                                                   ['verify']);

        const genuine = await crypto.subtle.verify(rsa, spki,
                                         Buffer.from(token[3], 'base64url'),
                                         `${token[1]}.${token[2]}`);

        if (!genuine) {
            return r.return(401);
        }

    } catch (e) {
        return r.return(401);
    }

    r.internalRedirect('/small');
}

export default { check };
