import type { User } from './request.js';

/** What one rule allows. `*` stands for anything; a resource is `pods` or, for a subresource, `pods/status`. */
export interface Rule {
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

/** Every authenticated user may ask about itself; upstream's `system:basic-user`. */
const basicUser: readonly Rule[] = [
  {
    verbs: ['create'],
    groups: ['authorization.k8s.io'],
    resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'],
  },
  { verbs: ['create'], groups: ['authentication.k8s.io'], resources: ['selfsubjectreviews'] },
];

/** `system:masters` may do everything; upstream's `cluster-admin`. */
const everything: Rule = { verbs: all, groups: all, resources: all };

/** What one rule allows outside of resources. A `*` at the end of a path stands for anything. */
export interface PathRule {
  verbs: readonly string[];
  paths: readonly string[];
}

const everyPath: PathRule = { verbs: all, paths: all };

/** Paths that carry no data of the cluster's users; upstream's `system:public-info-viewer`. */
const publicPaths: PathRule = {
  verbs: ['get'],
  paths: ['/healthz', '/healthz/', '/livez', '/livez/*', '/readyz', '/readyz/*', '/version', '/version/'],
};

/** Paths that every authenticated user may read; upstream's `system:discovery`. */
const discoveryPaths: PathRule = {
  verbs: ['get'],
  paths: ['/', '/api', '/api/*', '/apis', '/apis/*', '/openapi', '/openapi/*'],
};

const isMaster = (user: User): boolean => user.groups.includes('system:masters');
const isAuthenticated = (user: User): boolean => user.groups.includes('system:authenticated');

function ownRules(user: User): readonly Rule[] {
  if (user.groups.includes('system:nodes') && user.name.startsWith('system:node:')) return nodePolicy;
  return policies[user.name] ?? [];
}

/** What `user` may do to resources: the sum of these. They hold in every namespace. */
export function rulesOf(user: User): readonly Rule[] {
  return [...(isMaster(user) ? [everything] : []), ...ownRules(user), ...(isAuthenticated(user) ? basicUser : [])];
}

/** What `user` may do to paths that are no resources. */
export function pathRulesOf(user: User): readonly PathRule[] {
  return [...(isMaster(user) ? [everyPath] : []), publicPaths, ...(isAuthenticated(user) ? [discoveryPaths] : [])];
}
