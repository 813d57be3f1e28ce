import type { User } from './request.js';
import type { Target } from './route.js';

/** What one rule allows. `*` stands for anything; a resource is `pods` or, for a subresource, `pods/status`. */
interface Rule {
  verbs: readonly string[];
  groups: readonly string[];
  resources: readonly string[];
}

const read = ['get', 'list', 'watch'] as const;
const all = ['*'] as const;

/** Events, in both groups that serve them. */
const recordEvents: Rule = {
  verbs: ['create', 'patch', 'update'],
  groups: ['', 'events.k8s.io'],
  resources: ['events'],
};
const leases: Rule = {
  verbs: [...read, 'create', 'update', 'patch', 'delete'],
  groups: ['coordination.k8s.io'],
  resources: ['leases'],
};

/**
 * The fixed policy of the built-in identities, after upstream's bootstrap roles of the same names. Which objects of
 * these kinds a node may touch is decided by the NodeRestriction admission step, which sees the object.
 */
const policies: Readonly<Record<string, readonly Rule[]>> = {
  // Garbage collection and namespace deletion touch every kind, so upstream's sum of controller roles is in effect "all".
  'system:kube-controller-manager': [{ verbs: all, groups: all, resources: all }],
  'system:kube-scheduler': [
    {
      verbs: read,
      groups: ['', 'apps', 'storage.k8s.io'],
      resources: [
        'nodes',
        'pods',
        'namespaces',
        'services',
        'persistentvolumes',
        'persistentvolumeclaims',
        'storageclasses',
        'replicasets',
      ],
    },
    { verbs: ['create'], groups: [''], resources: ['pods/binding', 'bindings'] },
    { verbs: ['patch', 'update'], groups: [''], resources: ['pods/status'] },
    { verbs: ['delete'], groups: [''], resources: ['pods'] },
    { verbs: ['patch', 'update'], groups: [''], resources: ['persistentvolumeclaims', 'persistentvolumes'] },
    recordEvents,
    leases,
  ],
  'system:serviceaccount:istio-system:istiod': [
    {
      verbs: read,
      groups: all,
      resources: [
        'namespaces',
        'nodes',
        'pods',
        'services',
        'endpoints',
        'endpointslices',
        'configmaps',
        'secrets',
        'serviceaccounts',
        'ingresses',
        'ingressclasses',
        'gateways',
        'virtualservices',
        'destinationrules',
      ],
    },
    {
      verbs: ['update', 'patch'],
      groups: ['networking.k8s.io', 'networking.istio.io'],
      resources: ['ingresses/status', 'gateways/status', 'virtualservices/status', 'destinationrules/status'],
    },
    { verbs: ['create', 'update', 'patch', 'delete'], groups: [''], resources: ['configmaps'] },
    recordEvents,
    leases,
  ],
};

const nodePolicy: readonly Rule[] = [
  {
    verbs: read,
    groups: all,
    resources: [
      'nodes',
      'pods',
      'namespaces',
      'services',
      'endpoints',
      'endpointslices',
      'configmaps',
      'secrets',
      'serviceaccounts',
      'persistentvolumes',
      'persistentvolumeclaims',
      'storageclasses',
    ],
  },
  { verbs: ['create', 'update', 'patch'], groups: [''], resources: ['nodes'] },
  { verbs: ['update', 'patch'], groups: [''], resources: ['nodes/status', 'pods/status'] },
  { verbs: ['create', 'delete'], groups: [''], resources: ['pods'] },
  { verbs: ['create'], groups: [''], resources: ['pods/eviction'] },
  recordEvents,
  leases,
];

const matches = (list: readonly string[], value: string): boolean => list.includes('*') || list.includes(value);

/** Paths that carry no data of the cluster's users; upstream's `system:public-info-viewer`. */
const publicPaths = new Set(['/healthz', '/livez', '/readyz', '/version']);
const isPublic = (path: string): boolean =>
  publicPaths.has(path.replace(/\/$/, '')) || path.startsWith('/livez/') || path.startsWith('/readyz/');

/** Paths that every authenticated user may read; upstream's `system:discovery`. */
const isDiscovery = (path: string): boolean => /^\/(api|apis|openapi)(\/|$)/.test(path) || path === '/';

function rulesOf(user: User): readonly Rule[] {
  if (user.groups.includes('system:nodes') && user.name.startsWith('system:node:')) return nodePolicy;
  return policies[user.name] ?? [];
}

export type Decision = { allowed: true } | { allowed: false; reason: string };

const allow: Decision = { allowed: true };

/** Whether `user` may do what `target` asks. Roles and bindings of the RBAC group are not consulted yet. */
export function authorize(user: User, target: Target): Decision {
  if (user.groups.includes('system:masters')) return allow;
  if (target.kind === 'path') {
    const reading = target.verb === 'get';
    if (reading && isPublic(target.path)) return allow;
    if (reading && user.groups.includes('system:authenticated') && isDiscovery(target.path)) return allow;
    return { allowed: false, reason: `User "${user.name}" cannot ${target.verb} path "${target.path}"` };
  }
  const resource = target.subresource ? `${target.resource}/${target.subresource}` : target.resource;
  for (const rule of rulesOf(user)) {
    if (matches(rule.verbs, target.verb) && matches(rule.groups, target.group) && matches(rule.resources, resource)) {
      return allow;
    }
  }
  const where = target.namespace ? `in the namespace "${target.namespace}"` : 'at the cluster scope';
  return {
    allowed: false,
    reason: `User "${user.name}" cannot ${target.verb} resource "${resource}" in API group "${target.group}" ${where}`,
  };
}
