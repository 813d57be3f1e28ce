import type { User } from './request.js';

/** The user of a verified client certificate: subject CN is the name, every O a group (upstream's x509 authenticator). */
export function userOfCertificate(subject: { CN?: string | string[]; O?: string | string[] }): User | undefined {
  const name = Array.isArray(subject.CN) ? subject.CN[0] : subject.CN;
  if (!name) return undefined;
  const groups = subject.O === undefined ? [] : Array.isArray(subject.O) ? subject.O : [subject.O];
  return { name, groups: [...groups, 'system:authenticated'] };
}

const components: Readonly<Record<string, User>> = {
  // The API server's own loopback identity, for bootstrapping.
  apiserver: { name: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] },
  controllers: { name: 'system:kube-controller-manager', groups: ['system:authenticated'] },
  scheduler: { name: 'system:kube-scheduler', groups: ['system:authenticated'] },
  pilot: {
    name: 'system:serviceaccount:istio-system:istiod',
    groups: ['system:serviceaccounts', 'system:serviceaccounts:istio-system', 'system:authenticated'],
  },
};

/**
 * The user behind the identity token of `api.<identity>.…`. NATS permissions let a connection publish below its own
 * token only, so the token is proof; any that is not a component's is a node's.
 */
export function userOfIdentity(identity: string): User {
  return components[identity] ?? { name: `system:node:${identity}`, groups: ['system:nodes', 'system:authenticated'] };
}

export const loopbackUser: User = components['apiserver']!;
