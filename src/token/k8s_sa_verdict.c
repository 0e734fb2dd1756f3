/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_verdict.h"


static const k8s_sa_verdict_info_t  k8s_sa_verdicts[K8S_SA_VERDICTS] = {

    [K8S_SA_VERDICT_OK] = {
        "ok", 200, NULL, "the token is valid" },

    [K8S_SA_BAD_PATH] = {
        "bad_path", 400, NULL, "the path is not in normal form" },

    [K8S_SA_NO_TOKEN] = {
        "no_token", 401, NULL, "there is no token" },

    [K8S_SA_TOO_LARGE] = {
        "too_large", 401, NULL, "the token is too large" },

    [K8S_SA_MALFORMED] = {
        "malformed", 401, NULL, "the token is malformed" },

    [K8S_SA_BAD_ALGORITHM] = {
        "bad_algorithm", 401, NULL,
        "the token's signature algorithm is not accepted" },

    [K8S_SA_UNKNOWN_ISSUER] = {
        "unknown_issuer", 401, NULL, "the token's issuer is unknown" },

    [K8S_SA_UNKNOWN_KEY] = {
        "unknown_key", 401, NULL,
        "the key that signed the token is unknown" },

    [K8S_SA_BAD_SIGNATURE] = {
        "bad_signature", 401, NULL, "the token's signature is wrong" },

    [K8S_SA_WRONG_ISSUER] = {
        "wrong_issuer", 401, "The token is from another issuer",
        "the token is from another issuer" },

    [K8S_SA_LEGACY_TOKEN] = {
        "legacy_token", 401, "Legacy tokens are not accepted",
        "legacy tokens are not accepted" },

    [K8S_SA_BAD_CLAIMS] = {
        "bad_claims", 401, "The token's claims are invalid",
        "the token's claims are invalid" },

    [K8S_SA_EXPIRED] = {
        "expired", 401, "The token is expired", "the token is expired" },

    [K8S_SA_NOT_YET_VALID] = {
        "not_yet_valid", 401, "The token is not yet valid",
        "the token is not yet valid" },

    [K8S_SA_WRONG_AUDIENCE] = {
        "wrong_audience", 401, "The token is for another audience",
        "the token is for another audience" },

    [K8S_SA_NOT_AUTHENTICATED] = {
        "not_authenticated", 401, NULL,
        "the token review did not authenticate the token" },

    [K8S_SA_BAD_ATTRIBUTES] = {
        "bad_attributes", 400, NULL,
        "the request cannot be put into an access review" },

    [K8S_SA_NOT_ALLOWED] = {
        "not_allowed", 403, NULL, "the caller is not allowed" },

    [K8S_SA_NOT_REQUIRED] = {
        "not_required", 403, NULL, "a required value is missing" },

    [K8S_SA_ACCESS_DENIED] = {
        "access_denied", 403, NULL, "not allowed by the cluster" },

    [K8S_SA_NO_KEYS] = {
        "no_keys", 503, NULL, "the issuer's keys are not known yet" },

    [K8S_SA_STALE_KEYS] = {
        "stale_keys", 503, NULL, "the issuer's keys are too old" },

    [K8S_SA_REVIEW_FAILED] = {
        "review_failed", 503, NULL, "the token review failed" },

    [K8S_SA_ACCESS_FAILED] = {
        "access_failed", 503, NULL, "the access review failed" },

    [K8S_SA_BUSY] = {
        "busy", 503, NULL, "too many requests are waiting" },

    [K8S_SA_INTERNAL_ERROR] = {
        "internal_error", 503, NULL, "internal error" }
};


const k8s_sa_verdict_info_t *
k8s_sa_verdict_info(k8s_sa_verdict_e verdict)
{
    /* enums may be signed or unsigned */

    if ((unsigned) verdict >= K8S_SA_VERDICTS) {
        verdict = K8S_SA_INTERNAL_ERROR;
    }

    return &k8s_sa_verdicts[verdict];
}
