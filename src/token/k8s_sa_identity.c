#include "token/k8s_sa_identity.h"


void
k8s_sa_identity_each(k8s_sa_identity_t *id, k8s_sa_identity_pt visit,
    void *data)
{
    visit(&id->username, data);
    visit(&id->namespace, data);
    visit(&id->name, data);
    visit(&id->uid, data);
    visit(&id->groups, data);
    visit(&id->extra, data);
    visit(&id->pod, data);
    visit(&id->pod_uid, data);
    visit(&id->node, data);
    visit(&id->node_uid, data);
    visit(&id->secret, data);
    visit(&id->issuer, data);
    visit(&id->audience, data);
    visit(&id->jti, data);
    visit(&id->kid, data);
}
